// The names of the families alone, for what does without LibTorch.
#pragma once

#include <string>

namespace longhaul {

// After those that this library brings.
void add_family_name(const std::string& name);

}  // namespace longhaul
