// Tensors whose memory comes and goes while views of them, and what autograd saved of them, live on: all share one
// storage, and it is the storage that gets memory or gives it back.
#pragma once

#include <ATen/core/Tensor.h>

namespace longhaul::ops {

// A tensor of one dimension that has no memory yet.
at::Tensor without_memory(int64_t elements, const at::TensorOptions& options);
bool has_memory(const at::Tensor& tensor);
// Gives the tensor's storage memory: `contents`' own, which is left without. Both are whole storages of one size.
void take_memory(const at::Tensor& tensor, const at::Tensor& contents);
void give_memory_back(const at::Tensor& tensor);

}  // namespace longhaul::ops
