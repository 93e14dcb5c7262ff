// NumPy's legacy random stream, `numpy.random.RandomState(seed)`, bit for bit.
//
// Megatron orders documents and samples with it, so the same seed must give the same order here. The stream
// is frozen by NumPy: MT19937 with standard tempering (std::mt19937 is the same generator), and bounded
// integers by masking and rejection. Only what the datasets draw is here.
#pragma once

#include <cstdint>
#include <random>
#include <span>
#include <utility>

namespace longhaul {

class RandomState {
 public:
  explicit RandomState(uint32_t seed) : generator_(seed) {}

  uint32_t next_u32() { return static_cast<uint32_t>(generator_()); }

  // Two words, the first is the high half.
  uint64_t next_u64() {
    const uint64_t high = next_u32();
    return (high << 32) + next_u32();
  }

  // Uniform in [0, 1) with 53 bits.
  double next_double() {
    const uint64_t high = next_u32() >> 5;
    const uint64_t low = next_u32() >> 6;
    return static_cast<double>((high << 26) + low) / 9007199254740992.0;
  }

  // Uniform in 0 … maximum, both included. Draws nothing when maximum is 0.
  uint64_t interval(uint64_t maximum);

  // Uniform in [low, high), as RandomState.randint. Requires low < high.
  int64_t randint(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(interval(static_cast<uint64_t>(high - 1 - low)));
  }

  // Shuffles in place. The draws depend on the size alone, not on the type.
  template <typename T>
  void shuffle(std::span<T> values) {
    for (uint64_t i = values.size(); i-- > 1;) std::swap(values[i], values[interval(i)]);
  }

 private:
  std::mt19937 generator_;
};

}  // namespace longhaul
