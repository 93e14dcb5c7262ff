// Attention whose queries, keys and values are first rotated and moved apart, for whatever has no kernel that
// takes them as they come: CUDA, FP64, and CPUs without AVX2.
#pragma once

#include "ops/attention_core.h"

namespace longhaul::ops {

// As longhaul/ops/attention.h; `qkv` is contiguous.
at::Tensor attention_apart(const at::Tensor& qkv, const AttentionOptions& options);
// With a core of one's own choice, for tests and benchmarks.
at::Tensor attention_apart(const at::Tensor& qkv, const AttentionOptions& options, const AttentionCore& core);

}  // namespace longhaul::ops
