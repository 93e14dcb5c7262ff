// The block function of Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC11):
// 128 random bits from a 128-bit counter and a 64-bit key. On its own so that kernels can inline it;
// everybody else uses longhaul/core/random.h.
#pragma once

#include <cstdint>

#ifdef __CUDACC__
#define LONGHAUL_PHILOX __host__ __device__ inline
#else
#define LONGHAUL_PHILOX __attribute__((always_inline)) inline
#endif

namespace longhaul {

struct PhiloxBlock {
  uint32_t word0, word1, word2, word3;
};

struct PhiloxKey {
  uint32_t word0, word1;
};

inline constexpr int kPhiloxRounds = 10;

LONGHAUL_PHILOX PhiloxBlock philox_round(PhiloxBlock c, PhiloxKey key) {
  const uint64_t product0 = uint64_t{0xD2511F53} * c.word0;
  const uint64_t product1 = uint64_t{0xCD9E8D57} * c.word2;
  return {static_cast<uint32_t>(product1 >> 32) ^ c.word1 ^ key.word0, static_cast<uint32_t>(product1),
          static_cast<uint32_t>(product0 >> 32) ^ c.word3 ^ key.word1, static_cast<uint32_t>(product0)};
}

LONGHAUL_PHILOX PhiloxKey next_philox_key(PhiloxKey key) {
  return {key.word0 + 0x9E3779B9, key.word1 + 0xBB67AE85};
}

LONGHAUL_PHILOX PhiloxBlock philox(PhiloxBlock counter, PhiloxKey key) {
  for (int round = 0; round < kPhiloxRounds; ++round) {
    counter = philox_round(counter, key);
    key = next_philox_key(key);
  }
  return counter;
}

}  // namespace longhaul
