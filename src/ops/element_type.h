// The element types that the kernels take. BF16 and FP32 compute in FP32, FP64 (for gradient checks) in FP64.
#pragma once

#include <cstdint>

namespace longhaul::ops {

enum class ElementType : uint8_t { float32, bfloat16, float64 };

}  // namespace longhaul::ops
