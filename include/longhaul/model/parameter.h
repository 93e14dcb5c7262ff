// A parameter is a plain tensor plus a description of how its *global* tensor is laid out. Checkpoints, import,
// export, initialisation and the optimiser all read that one description; none has a table of its own.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace longhaul {

enum class Init { zeros, ones, normal };

struct ShardSpec {
  std::vector<int64_t> global_shape;  // true shape, without vocabulary padding
  int tensor_dim = -1;                // the dimension that tensor parallelism cuts; -1: replicated
  int parts = 1;                      // blocks along tensor_dim that are cut one by one (2 for gate and up)
  bool sum_gradient_over_tensor = false;  // replicated, but each tensor rank sees only some tokens or heads
  bool vocabulary = false;            // dimension 0 is the vocabulary, padded in memory
  bool weight_decay = true;           // false for biases and norm weights
  Init init = Init::normal;
  double init_std = 0.02;
};

struct Parameter {
  std::string name;     // global, e.g. "decoder.layers.3.mlp.linear_fc1.weight"; the same in any layout
  at::Tensor value;     // a leaf that requires gradient; global_shape with dimension 0 of a vocabulary padded
  at::Tensor main_grad;  // FP32, same shape: where weight gradients add up over micro-batches; may be undefined
  ShardSpec shard;
};

}  // namespace longhaul
