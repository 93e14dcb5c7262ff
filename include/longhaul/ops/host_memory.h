// Memory of CPU tensors that stays in the process between training steps.
//
// The C library gives large blocks back to the system as soon as they are freed, and every step gets them
// anew, page by page and filled with zeros; for an activation of some 50 MB that takes longer than the
// operator that writes it. Here blocks of 1 MiB and more are kept, in huge pages where the system has them,
// and handed out again.
#pragma once

#include <cstdint>

namespace longhaul::ops {

// Makes it LibTorch's allocator for CPU tensors, for the rest of the program. Tensors that exist are not
// affected. A program calls it once, when it starts; more calls do nothing.
void keep_host_memory();

// What it holds, in bytes. Freed blocks are kept only while live + kept stays below 1.25 times the peak of
// `live`.
struct HostMemory {
  int64_t live = 0;  // in tensors, rounded up to blocks
  int64_t kept = 0;
  int64_t tensors = 0;       // in tensors of 1 MiB and more, as they asked for it
  int64_t tensors_peak = 0;  // the most of that since the program's start or the last reset
};
HostMemory host_memory();
void reset_host_memory_peak();

}  // namespace longhaul::ops
