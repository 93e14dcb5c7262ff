// The kernel behind longhaul/ops/dropout.h: forward and backward alike. The element i keeps its value where
// bits 8 … 31 of word (first + i) % 4 of Philox block (first + i) / 4 reach `threshold`:
// RandomStream::uniform(first + i, step) >= probability, in integers.
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
  uint64_t step = 0;       // the upper half of the counter
  uint64_t first = 0;      // index, in the stream, of x[0]
  uint32_t threshold = 0;  // ceil(probability · 2^24)
  double scale = 1;        // of what is kept
};

namespace cpu {
void dropout(const DropoutArguments& arguments);
}

namespace cuda {
void dropout(const DropoutArguments& arguments, void* stream);
}

}  // namespace longhaul::ops
