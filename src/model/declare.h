// Descriptions of the kinds of parameters that transformer layers have.
#pragma once

#include <cmath>

#include "longhaul/model/model_config.h"
#include "longhaul/model/parameter.h"

namespace longhaul {

// [out, in], cut by rows over tensor parallelism; `parts` row blocks are cut one by one (gate and up).
inline ShardSpec column_parallel(int64_t out, int64_t in, const ModelConfig& config, int parts = 1) {
  return {.global_shape = {out, in}, .tensor_dim = 0, .parts = parts, .init_std = config.init_std};
}

// [out, in], cut by columns. An output projection of a residual branch starts smaller, by 1 / sqrt(2 × layers).
inline ShardSpec row_parallel(int64_t out, int64_t in, const ModelConfig& config) {
  const double scale = config.scaled_init ? 1.0 / std::sqrt(2.0 * static_cast<double>(config.layers)) : 1.0;
  return {.global_shape = {out, in}, .tensor_dim = 1, .init_std = config.init_std * scale};
}

inline ShardSpec column_bias(int64_t out, int parts = 1) {
  return {.global_shape = {out}, .tensor_dim = 0, .parts = parts, .weight_decay = false, .init = Init::zeros};
}

// Replicated over tensor parallelism. With sequence parallelism each rank sees only its tokens.
inline ShardSpec row_bias(int64_t out) {
  return {.global_shape = {out}, .per_token = true, .weight_decay = false, .init = Init::zeros};
}

inline ShardSpec norm_weight(int64_t size, const ModelConfig& config) {
  return {.global_shape = {size},
          .per_token = true,
          .weight_decay = false,
          .init = config.norm_zero_centered ? Init::zeros : Init::ones};
}

inline ShardSpec norm_bias(int64_t size) {
  return row_bias(size);
}

inline ShardSpec vocabulary_table(int64_t rows, int64_t hidden, const ModelConfig& config) {
  return {.global_shape = {rows, hidden}, .tensor_dim = 0, .vocabulary = true, .init_std = config.init_std};
}

inline ShardSpec position_table(int64_t rows, int64_t hidden, const ModelConfig& config) {
  return {.global_shape = {rows, hidden}, .per_token = true, .init_std = config.init_std};
}

}  // namespace longhaul
