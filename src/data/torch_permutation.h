// `torch.randperm` on a CPU, number for number.
#pragma once

#include <cstdint>
#include <vector>

namespace longhaul {

// From this many on torch draws 64 bits a number, in another order.
inline constexpr int64_t kWideTorchPermutation = int64_t{0xFFFFFFFF} / 20;

// torch.randperm(n, generator=torch.Generator().manual_seed(seed)), into `permutation`, whose memory is used
// again. 0 ≤ n ≤ 2^32. `wide_from` is there for tests, which can't wait for kWideTorchPermutation numbers.
void torch_permutation(int64_t n, uint32_t seed, std::vector<uint32_t>& permutation,
                       int64_t wide_from = kWideTorchPermutation);

}  // namespace longhaul
