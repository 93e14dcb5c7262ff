#include "longhaul/core/error.h"

#include <string_view>

namespace longhaul::detail {

void fail_check(const char* condition, const char* file, int line, const std::string& message) {
  std::string_view path(file);
  const auto source = path.rfind("/src/");
  if (source != std::string_view::npos) path.remove_prefix(source + 1);
  throw InternalError(fmt::format("{}{}internal check failed: {} ({}:{}). This is a bug in Longhaul; please report it.",
                                  message, message.empty() ? "" : "; ", condition, path, line));
}

}  // namespace longhaul::detail
