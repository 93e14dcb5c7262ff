// Host memory that CUDA's copies reach by themselves.
#pragma once

#include <cstddef>

namespace longhaul::ops::cuda {

// Page-locks [data, data + bytes) for all devices. False: CUDA says in `problem` why it can't.
bool lock_host_memory(void* data, size_t bytes, const char** problem);
// No copy from or to it may be under way. False: CUDA has ended or failed before, and nothing is left to unlock.
bool unlock_host_memory(void* data);

}  // namespace longhaul::ops::cuda
