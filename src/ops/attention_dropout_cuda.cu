// A thread draws one Philox block: the multipliers of four keys whose global numbers share it.
#include "ops/attention_dropout_kernels.h"
#include "ops/cuda_launch.cuh"

namespace longhaul::ops::cuda {
namespace {

constexpr int kThreads = 128;

// blockIdx.y counts queries, blockIdx.z heads.
__global__ void attention_dropout_kernel(const AttentionDropoutArguments a) {
  const uint64_t step = static_cast<uint64_t>(a.place[0]), first_token = static_cast<uint64_t>(a.place[1]);
  const uint64_t first_key = first_token + a.first_key, end = first_key + static_cast<uint64_t>(a.keys);
  const uint64_t block = first_key / 4 + uint64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (4 * block >= end) return;
  for (int64_t query = blockIdx.y; query < a.queries; query += gridDim.y) {
    const uint64_t index = ((first_token + a.first_query + static_cast<uint64_t>(query)) << 32) | block;
    const PhiloxBlock drawn = philox({static_cast<uint32_t>(index), static_cast<uint32_t>(index >> 32),
                                      static_cast<uint32_t>(step), static_cast<uint32_t>(step >> 32)},
                                     a.streams[blockIdx.z]);
    const uint32_t words[4] = {drawn.word0, drawn.word1, drawn.word2, drawn.word3};
    float* const row = a.multipliers + (blockIdx.z * a.queries + query) * a.keys;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      const uint64_t key = 4 * block + k;
      if (key >= first_key && key < end) row[key - first_key] = (words[k] >> 8) >= a.threshold ? a.scale : 0.0F;
    }
  }
}

}  // namespace

void attention_dropout(const AttentionDropoutArguments& a, void* stream) {
  const int64_t blocks = a.keys / 4 + 2;  // the keys may begin and end within a block
  const dim3 grid(static_cast<unsigned>((blocks + kThreads - 1) / kThreads),
                  static_cast<unsigned>(a.queries < 65535 ? a.queries : 65535), static_cast<unsigned>(a.heads));
  start("attention_dropout", attention_dropout_kernel, grid, kThreads, 0, stream, a);
}

}  // namespace longhaul::ops::cuda
