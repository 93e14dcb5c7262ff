// Attention on the CPU without a matrix of scores (Dao et al., "FlashAttention", 2022): a tile of queries
// passes over blocks of keys and keeps running maxima and sums; the backward computes the probabilities once
// more from those. Compiled once for AVX-512 and once for AVX2.
#pragma once

#include <cstdint>

#include "longhaul/ops/attention.h"
#include "ops/attention_dropout.h"

namespace longhaul::ops {

using Bf16Bits = uint16_t;

// Queries of one task, and the multiple to which the rows of a document are padded.
constexpr int64_t kQuerySpan = 32;

struct AttentionDocument {
  int64_t first;         // token
  int64_t length;        // tokens
  int64_t first_padded;  // row in the packed keys and values
};

struct AttentionTask {
  int64_t document;
  int64_t query;  // first query within the document
};

struct AttentionArguments {
  int64_t tokens, heads, kv_heads, head_dim;
  int64_t rotary_half;  // half of the rotated channels; 0: no rotation
  float scale;
  const float* cos;  // [positions, rotary_half]
  const float* sin;
  const int64_t* positions;  // [tokens], or null for 0, 1, … within each document
  const AttentionDocument* documents;
  int64_t document_count;
  int64_t padded_rows;         // of all documents
  const AttentionTask* tasks;  // all spans of kQuerySpan queries
  int64_t task_count;
  const AttentionDropout* dropout;  // null: none
  bool bf16;                        // the type of qkv, out and their gradients: BF16, else FP32
  const void* qkv;                  // [tokens, kv_heads, heads / kv_heads + 2, head_dim]
  void* out;                        // [tokens, heads, head_dim]
  float* maxima;                    // [heads, tokens] of the scores, in units of log 2
  float* inverse_sums;              // [heads, tokens]
  const void* dout;                 // as out; backward only, from here on
  void* dqkv;                       // as qkv
};

struct AttentionKernel {
  void (*forward)(const AttentionArguments&);
  void (*backward)(const AttentionArguments&);
};

// Attention by one of the kernels below, with its gradient. `qkv` is a contiguous FP32 or BF16 tensor on the
// CPU.
at::Tensor attention_cpu(const at::Tensor& qkv, const AttentionOptions& options, const AttentionKernel& kernel);

namespace avx512 {
// With `bf16_instructions`, products of BF16 tensors multiply BF16 numbers and add in FP32; else all is FP32.
AttentionKernel attention_kernel(bool bf16_instructions);
}  // namespace avx512

namespace avx2 {
bool supported();
AttentionKernel attention_kernel();
}  // namespace avx2

}  // namespace longhaul::ops
