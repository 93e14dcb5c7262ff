// The block function of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11): 128 random
// bits from a 128-bit counter and a 64-bit key. On its own so that kernels can inline it; everybody else uses
// longhaul/core/random.h.
#pragma once

#include <cstdint>

namespace longhaul {

struct PhiloxBlock {
  uint32_t word0, word1, word2, word3;
};

struct PhiloxKey {
  uint32_t word0, word1;
};

inline constexpr uint32_t kPhiloxMultiplier0 = 0xD2511F53, kPhiloxMultiplier1 = 0xCD9E8D57;
inline constexpr uint32_t kPhiloxWeyl0 = 0x9E3779B9, kPhiloxWeyl1 = 0xBB67AE85;

#ifdef __CUDACC__
__host__ __device__
#endif
__attribute__((always_inline)) inline PhiloxBlock philox(PhiloxBlock counter, PhiloxKey key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{kPhiloxMultiplier0} * counter.word0;
    const uint64_t product1 = uint64_t{kPhiloxMultiplier1} * counter.word2;
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter.word1 ^ key.word0, static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter.word3 ^ key.word1, static_cast<uint32_t>(product0)};
    key.word0 += kPhiloxWeyl0;
    key.word1 += kPhiloxWeyl1;
  }
  return counter;
}

}  // namespace longhaul
