#include "core/system_reason.h"

#include <cerrno>
#include <cstring>

namespace longhaul {

std::string system_reason(int error) {
  std::string text = std::strerror(error);
  switch (error) {
    case ENOSPC:
      return text + ": free some space or choose another disk";
    case EDQUOT:
      return text + ": your quota is used up";
    case EROFS:
    case EACCES:
    case EPERM:
      return text + ": check the permissions, or choose another folder";
    case ENOENT:
      return text + ": check the path";
    default:
      return text;
  }
}

}  // namespace longhaul
