// The kernel between a layer's fused queries, keys and values and attention kernels that want each of the
// three apart: it rotates (rotary embedding, rotate-half) as it moves, and back.
#pragma once

#include <cstdint>

#include "ops/element_type.h"

namespace longhaul::ops {

// Each row of `qkv` is [kv_heads, per_group + 2, head_dim]: of each group its query heads, then k, then v. q
// [tokens, kv_heads · per_group, head_dim], k and v [tokens, kv_heads, head_dim] have rows that begin
// `*_stride` elements apart.
struct RotaryArguments {
  ElementType type = ElementType::float32;
  bool back = false;  // false: qkv to q, k and v, rotated; true: those, rotated back, to qkv. For gradients.
  int64_t tokens = 0, kv_heads = 0, per_group = 0, head_dim = 0;
  int64_t rotary_half = 0;  // channel c < rotary_half turns with c + rotary_half; 0: no rotation
  int64_t table_rows = 0;
  const float* cos = nullptr;  // [table_rows, rotary_half]
  const float* sin = nullptr;
  const int64_t* positions = nullptr;  // [tokens]; null: counted from each document's first token
  const int32_t* borders = nullptr;    // [documents + 1] ascending, from 0 to tokens
  int64_t documents = 0;
  void* qkv = nullptr;
  void* q = nullptr;
  void* k = nullptr;
  void* v = nullptr;
  int64_t q_stride = 0, k_stride = 0, v_stride = 0;
};

namespace cpu {
void rotary(const RotaryArguments& arguments);
}

namespace cuda {
// A position outside the table is taken for its nearest row (ops/index_check.h reports it).
void rotary(const RotaryArguments& arguments, void* stream);
}  // namespace cuda

}  // namespace longhaul::ops
