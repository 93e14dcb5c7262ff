// What a layer needs to know beside its input: where documents end, which step this is, what to keep.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "longhaul/ops/attention.h"

namespace longhaul {

class HostActivations;

enum class Recompute { none, selective, full };

// Keys and values of the tokens seen so far, for generation. One sequence.
struct KvCache {
  std::vector<at::Tensor> keys;    // per layer [capacity, kv_heads, head_dim], rotated
  std::vector<at::Tensor> values;  // per layer [capacity, kv_heads, head_dim]
  int64_t length = 0;              // tokens held; the model advances it after a forward
  int64_t capacity = 0;
};

struct LayerContext {
  std::vector<int32_t> cu_seqlens;  // borders of the documents over the flat tokens: 0, …, tokens
  at::Tensor positions;             // [tokens] int64; undefined: 0, 1, … in each document
  int64_t position_count = 0;       // with `positions`: one more than the greatest of them
  ops::RopeTable rope;              // undefined without rotary embedding
  bool training = false;            // dropout is active
  Recompute recompute = Recompute::none;
  int64_t recompute_layers = 0;  // of the mode, counted from the first; 0: all
  std::shared_ptr<HostActivations>
      host_activations;           // this micro-batch's, where Recompute::full keeps inputs; null: the device
  uint64_t seed = 0;              // of the dropout streams
  at::Tensor place;               // ops::dropout_place of this micro-batch, on the model's device
  uint64_t first_held_token = 0;  // of the micro-batch's, the first that hidden states hold; the model sets it
  KvCache* cache = nullptr;       // generation only
};

}  // namespace longhaul
