// Element-wise reductions over the ranks' buffers in rank order, so that every rank gets the same bits. BF16 and FP16
// are summed in FP32 and rounded once.
#pragma once

#include <span>

#include "longhaul/comm/data_type.h"

namespace longhaul::comm {

// out[i] = inputs[0][i] op inputs[1][i] op …; `out` may be one of the inputs.
void reduce(std::span<const void* const> inputs, void* out, std::int64_t count, DataType type, ReduceOp op);

}  // namespace longhaul::comm
