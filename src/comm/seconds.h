#pragma once

#include <chrono>

namespace longhaul::comm {

// For messages.
inline double seconds(std::chrono::milliseconds time) {
  return static_cast<double>(time.count()) / 1000;
}

}  // namespace longhaul::comm
