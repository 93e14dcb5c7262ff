// The kernel behind longhaul/ops/dropout.h: forward and backward alike. The element i keeps its value where
// bits 8 … 31 of word (first + i) % 4 of Philox block (first + i) / 4 reach `threshold`:
// RandomStream::uniform(first + i, step) >= probability, in integers. Step and first stand in memory.
#pragma once

#include <cstdint>

#include "longhaul/core/philox.h"
#include "ops/element_type.h"

namespace longhaul::ops {

struct DropoutArguments {
  ElementType type = ElementType::float32;
  int64_t count = 0;
  const void* x = nullptr;
  void* y = nullptr;
  PhiloxKey key = {};
  const int64_t* place = nullptr;  // [2] the step, and the token from which first_token counts
  uint64_t first_token = 0;        // of x
  int64_t columns = 1;             // of a token
  uint32_t threshold = 0;          // ceil(probability · 2^24)
  double scale = 1;                // of what is kept
};

// Both halves of the counter at x[0], as they are when the kernel runs.
struct DropoutCounter {
  uint64_t step;   // the upper half
  uint64_t first;  // index, in the stream, of x[0]
};

LONGHAUL_PHILOX DropoutCounter counter_of(const DropoutArguments& a) {
  return {static_cast<uint64_t>(a.place[0]),
          (static_cast<uint64_t>(a.place[1]) + a.first_token) * static_cast<uint64_t>(a.columns)};
}

namespace cpu {
void dropout(const DropoutArguments& arguments);
}

namespace cuda {
void dropout(const DropoutArguments& arguments, void* stream);
}

}  // namespace longhaul::ops
