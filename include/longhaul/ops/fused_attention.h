// Which attention LibTorch's kernels for GPUs take, for the operator and for the estimate of its memory.
#pragma once

#include <cstdint>

namespace longhaul::ops {

// FlashAttention's and cuDNN's: BF16, head_dim a multiple of 8 up to 256, no dropout of probabilities.
constexpr bool takes_fused_attention(bool bf16, int64_t head_dim, double dropout) {
  return bf16 && head_dim % 8 == 0 && head_dim <= 256 && dropout == 0;
}

}  // namespace longhaul::ops
