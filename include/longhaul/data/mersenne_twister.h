// MT19937, the generator of std::mt19937 and NumPy's legacy stream, made in blocks: several times as fast.
#pragma once

#include <array>
#include <cstdint>

namespace longhaul {

class MersenneTwister {
 public:
  explicit MersenneTwister(uint32_t seed);

  uint32_t operator()() {
    if (at_ == kWords) refill();
    return words_[at_++];
  }

 private:
  static constexpr uint32_t kWords = 624;
  void refill();

  std::array<uint32_t, kWords> state_;
  std::array<uint32_t, kWords> words_;  // of the state, tempered
  uint32_t at_ = kWords;
};

}  // namespace longhaul
