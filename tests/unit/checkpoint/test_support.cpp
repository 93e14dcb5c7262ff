#include "test_support.h"

#include <ATen/ops/empty.h>

#include <random>

namespace longhaul::testing {

at::Tensor random_bytes(at::ScalarType dtype, const std::vector<int64_t>& shape, uint64_t seed) {
  at::Tensor result = at::empty(shape, at::TensorOptions().dtype(dtype));
  std::mt19937_64 random(seed);
  auto* bytes = static_cast<unsigned char*>(result.mutable_data_ptr());
  for (size_t i = 0; i < result.nbytes(); ++i) {
    bytes[i] = static_cast<unsigned char>(dtype == at::kBool ? random() % 2 : random());
  }
  return result;
}

}  // namespace longhaul::testing
