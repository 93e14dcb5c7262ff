// NumPy's legacy random stream, `numpy.random.RandomState(seed)`, bit for bit.
//
// Megatron orders documents and samples with it, so the same seed must give the same order here. The stream
// is frozen by NumPy: MT19937 with standard tempering, and bounded integers by masking and rejection. Only what
// the datasets draw is here.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <utility>

#include "longhaul/data/mersenne_twister.h"

namespace longhaul {

class RandomState {
 public:
  explicit RandomState(uint32_t seed) : generator_(seed) {}

  uint32_t next_u32() { return generator_(); }

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

  // True with the given probability, as RandomState.binomial(1, probability).
  bool bernoulli(double probability);

  // 1, 2, 3 …, as RandomState.geometric(probability). Requires 0 < probability < 1/3.
  int64_t geometric(double probability);

  // An index into `weights`, whose sum is about 1, as RandomState.choice(len(weights), p=weights).
  size_t choice(std::span<const double> weights);

  // interval(maximum), interval(maximum - 1), … Requires at most `maximum` places.
  void intervals(uint64_t maximum, std::span<uint64_t> places);

  // Shuffles in place. The draws depend on the size alone, not on the type.
  template <typename T>
  void shuffle(std::span<T> values) {
    // Where to swap is drawn a batch ahead, and fetched from memory meanwhile: large arrays lie in no cache.
    std::array<std::array<uint64_t, 256>, 2> places;
    const auto draw = [&](uint64_t maximum, size_t batch) {
      const std::span<uint64_t> drawn =
          std::span(places[batch]).first(std::min<uint64_t>(maximum, places[batch].size()));
      intervals(maximum, drawn);
      for (const uint64_t place : drawn) __builtin_prefetch(&values[place], 1);
      return drawn;
    };
    uint64_t last = values.empty() ? 0 : values.size() - 1;
    std::span<uint64_t> now = draw(last, 0);
    for (size_t batch = 1; !now.empty(); batch ^= 1) {
      const std::span<uint64_t> next = draw(last - now.size(), batch);
      for (const uint64_t place : now) std::swap(values[last--], values[place]);
      now = next;
    }
  }

 private:
  MersenneTwister generator_;
};

}  // namespace longhaul
