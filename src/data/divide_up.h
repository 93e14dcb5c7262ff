#pragma once

#include <cstdint>

namespace longhaul {

// a / b, rounded up; a is not negative.
inline int64_t divide_up(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

}  // namespace longhaul
