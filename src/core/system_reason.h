// What the system says of an error, and what a user should do about it.
#pragma once

#include <string>

namespace longhaul {

// "No space left on device: free some space or choose another disk"
std::string system_reason(int error);

}  // namespace longhaul
