// DropoutKey::place as kernels take it.
#pragma once

#include "longhaul/ops/dropout.h"

namespace longhaul::ops {

// Its two numbers, for a kernel on x's device. InternalError where they are none or elsewhere.
const int64_t* place_for(const DropoutKey& key, const at::Tensor& x);

}  // namespace longhaul::ops
