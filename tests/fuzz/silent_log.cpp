// In place of core/log.cpp: the readers' own warnings, one for nearly every input, go nowhere.
#include "longhaul/core/log.h"

namespace longhaul::log {

void write(Level, std::string_view) {}
bool left_to_others() {
  return true;
}

}  // namespace longhaul::log
