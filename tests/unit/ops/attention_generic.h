// Attention composed of ATen operators, differentiated by autograd: for devices and dtypes that have no
// kernel of their own, and what the tests compare the kernels with. Holds the scores of one document at a
// time.
#pragma once

#include "longhaul/ops/attention.h"

namespace longhaul::ops {

at::Tensor attention_generic(const at::Tensor& qkv, const AttentionOptions& options);

}  // namespace longhaul::ops
