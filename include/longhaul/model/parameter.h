// A parameter: a plain tensor, this rank's part of it, plus the description of how the *global* tensor is laid out.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "longhaul/model/shard.h"

namespace longhaul {

struct Parameter {
  std::string name;  // global, e.g. "decoder.layers.3.mlp.linear_fc1.weight"; the same in any layout
  // A leaf that requires gradient: this rank's blocks of the global tensor, one after another along their dimension; a
  // vocabulary's rows are padded.
  at::Tensor value;
  at::Tensor main_grad;  // FP32, same shape: where weight gradients add up over micro-batches; may be undefined
  ShardSpec shard;
  std::vector<Block> blocks;  // what `value` holds
};

// Calls f(view, block) for each of the parameter's blocks, `view` being its part of `p.value`, detached.
template <typename Function>
void for_each_block(const Parameter& p, Function f) {
  int64_t at = 0;
  for (const Block& block : p.blocks) {
    f(p.value.detach().narrow(block.dim, at, block.length), block);
    at += block.length;
  }
}

}  // namespace longhaul
