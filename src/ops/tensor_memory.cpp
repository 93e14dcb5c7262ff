#include "ops/tensor_memory.h"

#include <ATen/ops/empty.h>
#include <c10/core/Storage.h>

#include "longhaul/core/error.h"

namespace longhaul::ops {

at::Tensor without_memory(int64_t elements, const at::TensorOptions& options) {
  at::Tensor tensor = at::empty({elements}, options);
  give_memory_back(tensor);
  return tensor;
}

bool has_memory(const at::Tensor& tensor) {
  return tensor.storage().data() != nullptr;
}

void take_memory(const at::Tensor& tensor, const at::Tensor& contents) {
  const c10::Storage &to = tensor.storage(), &from = contents.storage();
  LONGHAUL_CHECK(from.nbytes() == to.nbytes(), "{} bytes for a storage of {}", from.nbytes(), to.nbytes());
  to.set_data_ptr_noswap(from.set_data_ptr(c10::DataPtr(nullptr, contents.device())));
}

void give_memory_back(const at::Tensor& tensor) {
  tensor.storage().set_data_ptr_noswap(c10::DataPtr(nullptr, tensor.device()));
}

}  // namespace longhaul::ops
