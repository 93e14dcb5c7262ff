#include "ops/tensor_buffer.h"

#include <ATen/ops/from_blob.h>

#include "longhaul/core/error.h"

namespace longhaul::ops {

comm::DataType data_type(at::ScalarType type) {
  switch (type) {
    case at::kByte:
      return comm::DataType::u8;
    case at::kInt:
      return comm::DataType::i32;
    case at::kLong:
      return comm::DataType::i64;
    case at::kFloat:
      return comm::DataType::f32;
    case at::kDouble:
      return comm::DataType::f64;
    case at::kBFloat16:
      return comm::DataType::bf16;
    case at::kHalf:
      return comm::DataType::f16;
    default:
      LONGHAUL_CHECK(false, "no communicator moves {}", c10::toString(type));
      __builtin_unreachable();
  }
}

comm::Buffer buffer_of(const at::Tensor& tensor) {
  LONGHAUL_CHECK(tensor.is_contiguous(), "a tensor to be sent is not contiguous");
  return {tensor.mutable_data_ptr(), tensor.numel(), data_type(tensor.scalar_type())};
}

at::Tensor registered_zeros(comm::Communicator& ranks, int64_t elements, const at::TensorOptions& options) {
  const auto bytes = static_cast<size_t>(elements) * options.dtype().itemsize();
  const std::shared_ptr<void> memory = ranks.registered_memory(bytes);
  if (!memory) {
    throw UserError(
        "parallel.register_buffers is for GPUs, whose ranks exchange data over NCCL: here nothing can be registered. Set "
        "parallel.register_buffers=false");
  }
  return at::from_blob(
             memory.get(), {elements}, [memory](void*) {}, options, options.device())
      .zero_();
}

void sum_over(comm::Communicator* ranks, const at::Tensor& tensor) {
  if (ranks != nullptr) ranks->all_reduce(buffer_of(tensor)).wait();
}

}  // namespace longhaul::ops
