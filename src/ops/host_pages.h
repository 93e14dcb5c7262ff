// Memory of the host straight from the system.
#pragma once

#include <cstdint>

namespace longhaul::ops {

inline constexpr int64_t kPage = 4096;  // bytes

// `bytes` of zeros, a multiple of kPage, not yet touched. Where a huge page fits it begins on the border of one, and
// the system is asked for such. EnvironmentError: there is no memory.
void* map_pages(int64_t bytes);
void unmap_pages(void* data, int64_t bytes);

}  // namespace longhaul::ops
