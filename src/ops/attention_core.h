// Attention between queries, keys and values that lie apart and are rotated already: what attention_apart.cpp
// chooses from.
//
// q and out [tokens, heads, head_dim], k and v [tokens, kv_heads, head_dim], their last two dimensions
// contiguous.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "longhaul/ops/attention.h"

namespace longhaul::ops {

// The documents, on the host and on the tensors' device.
struct Documents {
  std::vector<int32_t> borders;  // 0, …, tokens
  at::Tensor on_device;          // the same, int32
  int64_t longest = 0;           // tokens
  int64_t common_length = 0;     // that all have, 0 if they differ

  int64_t count() const { return static_cast<int64_t>(borders.size()) - 1; }
};

struct AttentionInputs {
  at::Tensor q, k, v;
};

struct AttentionOutputs {
  at::Tensor out;
  std::vector<at::Tensor> saved;  // what else the backward of the same core wants; some may be undefined
};

struct AttentionCore {
  AttentionOutputs (*forward)(const AttentionInputs& in, const AttentionOptions& options, const Documents& documents);
  // The gradients of the inputs, in their shapes and of the same kind of layout. `out` is the forward's.
  AttentionInputs (*backward)(const at::Tensor& dout, const AttentionInputs& in, const AttentionOutputs& forward,
                              const AttentionOptions& options, const Documents& documents);
};

// ATen's operators on a block of queries at a time: any device, dtype, head_dim, and dropout. Slower than the
// others.
AttentionCore blocks_core();
// LibTorch's FlashAttention 2, where fused_cores_take it.
AttentionCore flash_core();
// cuDNN's through LibTorch, under the same conditions and with documents of one length.
AttentionCore cudnn_core();

// Of tensors of `type` on a GPU: BF16, head_dim a multiple of 8 up to 256, no dropout, and a document of two tokens or
// more. Where none has more than one, LibTorch's FlashAttention makes tokens of the query heads that share keys, and
// fails if there are empty documents among them.
bool fused_cores_take(at::ScalarType type, const AttentionOptions& options, const Documents& documents);

// The fastest on this device: measured when a shape comes for the first time, then remembered. In
// deterministic mode FlashAttention without measuring: its backward has a deterministic form, cuDNN's has
// none.
AttentionCore fastest_core(const AttentionInputs& in, const AttentionOptions& options, const Documents& documents);

}  // namespace longhaul::ops
