#include "longhaul/data/mersenne_twister.h"
#include "ops/cpu_clones.h"

namespace longhaul {
namespace {

constexpr int kWords = 624, kShift = 397;

LONGHAUL_INLINE uint32_t twisted(uint32_t high, uint32_t low, uint32_t shifted) {
  const uint32_t mixed = (high & 0x80000000U) | (low & 0x7FFFFFFFU);
  return shifted ^ (mixed >> 1) ^ (0x9908B0DFU & -(mixed & 1U));
}

LONGHAUL_INLINE uint32_t tempered(uint32_t word) {
  word ^= word >> 11;
  word ^= (word << 7) & 0x9D2C5680U;
  word ^= (word << 15) & 0xEFC60000U;
  return word ^ (word >> 18);
}

// Each word depends on the next one and on one that is far away: several at once may be made.
LONGHAUL_CLONES void next_block(uint32_t* state, uint32_t* words) {
#pragma GCC ivdep
  for (int i = 0; i < kWords - kShift; ++i) state[i] = twisted(state[i], state[i + 1], state[i + kShift]);
#pragma GCC ivdep
  for (int i = kWords - kShift; i < kWords - 1; ++i)
    state[i] = twisted(state[i], state[i + 1], state[i + kShift - kWords]);
  state[kWords - 1] = twisted(state[kWords - 1], state[0], state[kShift - 1]);
  for (int i = 0; i < kWords; ++i) words[i] = tempered(state[i]);
}

}  // namespace

MersenneTwister::MersenneTwister(uint32_t seed) {
  state_[0] = seed;
  for (uint32_t i = 1; i < kWords; ++i) state_[i] = 1812433253U * (state_[i - 1] ^ (state_[i - 1] >> 30)) + i;
}

void MersenneTwister::refill() {
  next_block(state_.data(), words_.data());
  at_ = 0;
}

}  // namespace longhaul
