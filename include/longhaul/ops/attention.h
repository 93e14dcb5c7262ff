#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "longhaul/ops/dropout.h"
#include "longhaul/ops/rope.h"

namespace longhaul::ops {

struct AttentionOptions {
  int64_t heads = 1;
  int64_t kv_heads = 1;
  int64_t head_dim = 64;
  double scale = 0.125;
  std::vector<int32_t> cu_seqlens;  // document borders: 0, …, tokens. Causal attention stays within a document.
  at::Tensor positions;             // [tokens] int64 for RoPE; undefined: 0, 1, … within each document
  RopeTable rope;                   // undefined: no rotation. rotary_dim may be smaller than head_dim
  double dropout = 0;               // of the probabilities
  int64_t first_head = 0;           // global number of this tensor's first query head, which names its masks
  DropoutKey dropout_key;
};

// Causal self-attention with grouped keys and values and rotary embedding (rotate-half), never holding the scores
// of a whole sequence. `qkv` [tokens, (heads + 2 kv_heads) · head_dim] is laid out group by group, as Megatron does:
// view [tokens, kv_heads, heads/kv_heads + 2, head_dim], of each group first its query heads, then k, then v.
// Returns [tokens, heads · head_dim], heads in order.
at::Tensor attention(const at::Tensor& qkv, const AttentionOptions& options);

}  // namespace longhaul::ops
