#pragma once

#include <cstdint>

namespace longhaul {

// The process' greatest resident memory so far, bytes.
int64_t peak_resident_memory();

}  // namespace longhaul
