// In place of core/log.cpp: the readers' own warnings, one for nearly every input, go nowhere.
#include "longhaul/core/log.h"

namespace longhaul::log {

void write(Level, std::string_view) {}

}  // namespace longhaul::log
