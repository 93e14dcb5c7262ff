// Tensors as communicators take them.
#pragma once

#include <ATen/core/Tensor.h>

#include "longhaul/comm/communicator.h"

namespace longhaul::ops {

comm::DataType data_type(at::ScalarType type);  // InternalError for types that no communicator moves
// `tensor` must be contiguous and outlive the operation.
comm::Buffer buffer_of(const at::Tensor& tensor);
// [elements] zeros in memory that the ranks exchange without copies. A collective call. UserError where nothing can be
// registered.
at::Tensor registered_zeros(comm::Communicator& ranks, int64_t elements, const at::TensorOptions& options);
// Sums `tensor` over the ranks, in place, and waits; null: one rank, and nothing to do.
void sum_over(comm::Communicator* ranks, const at::Tensor& tensor);

}  // namespace longhaul::ops
