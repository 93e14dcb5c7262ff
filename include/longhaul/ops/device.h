// Whether this program can compute on a GPU. LibTorch's CUDA half is loaded on demand: a machine without it,
// or without the libraries that it needs, still trains on the CPU with the same program.
#pragma once

#include <string>

namespace longhaul::ops {

// Empty: tensors may be put on CUDA devices from now on. Else what is missing (CUDA code in the build, a
// library, a device) and what to do, a clause for a UserError. The first call does the work; any thread may call.
const std::string& cuda_problem();

// Operators on CUDA don't wait to see whether a label, token id or position is in range: they compute harmless numbers
// for one that is not, and remember the first. This throws the UserError (or InternalError) that the same operator on a
// CPU throws at once; every operator that checks its input calls it too. Call it where the results of a step are read.
void throw_device_faults();

}  // namespace longhaul::ops
