// Attention on the CPU without a matrix of scores (Dao et al., "FlashAttention", 2022): a tile of queries passes over
// blocks of keys and keeps running maxima and sums; the backward computes the probabilities once more from those.
// Compiled once for AVX-512 and once for AVX2.
#pragma once

#include <cstdint>

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
  const float* cos;          // [positions, rotary_half]
  const float* sin;
  const int64_t* positions;  // [tokens], or null for 0, 1, … within each document
  const AttentionDocument* documents;
  int64_t document_count;
  int64_t padded_rows;          // of all documents
  const AttentionTask* tasks;   // all spans of kQuerySpan queries
  int64_t task_count;
  const AttentionDropout* dropout;  // null: none
  bool bf16;                 // the type of qkv, out and their gradients: BF16, else FP32
  const void* qkv;           // [tokens, kv_heads, heads / kv_heads + 2, head_dim]
  void* out;                 // [tokens, heads, head_dim]
  float* maxima;             // [heads, tokens] of the scores, in units of log 2
  float* inverse_sums;       // [heads, tokens]
  const void* dout;          // as out; backward only, from here on
  void* dqkv;                // as qkv
};

namespace avx512 {
void attention_forward(const AttentionArguments& arguments);
void attention_backward(const AttentionArguments& arguments);
}  // namespace avx512

namespace avx2 {
void attention_forward(const AttentionArguments& arguments);
void attention_backward(const AttentionArguments& arguments);
}  // namespace avx2

}  // namespace longhaul::ops
