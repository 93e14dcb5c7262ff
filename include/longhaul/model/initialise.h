#pragma once

#include <cstdint>
#include <span>

#include "longhaul/model/parameter.h"

namespace longhaul {

// Fills every parameter, this rank's blocks of it, as its ShardSpec says. Each *global* tensor is drawn from a
// counter-based stream keyed by the seed and the parameter's name, so any layout starts from the same weights. Padding
// rows of a vocabulary become 0.
void initialise_parameters(std::span<Parameter> parameters, uint64_t seed);

}  // namespace longhaul
