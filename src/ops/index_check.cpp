#include "ops/index_check.h"

#include <bit>

#include "longhaul/ops/device.h"
#include "ops/dispatch.h"

namespace longhaul::ops {
namespace {

void check_on_cpu(const IndexCheck& a) {
  for (int64_t i = 0; i < a.count; ++i) {
    if (a.values[i] >= 0 && a.values[i] < a.limit) continue;
    if (a.weights != nullptr && a.weights[i] == 0) continue;
    throw_fault({a.kind, i, a.values[i], a.limit});
  }
}

void check_unit_on_cpu(const UnitCheck& a) {
  if (*a.value != 1) throw_fault({Fault::unit_gradient, 0, std::bit_cast<int64_t>(static_cast<double>(*a.value)), 0});
}

}  // namespace

void check_indices(Fault kind, const at::Tensor& values, int64_t limit, const at::Tensor& weights) {
  if (values.numel() == 0) return;
  throw_device_faults();
  const at::Tensor narrow = weights.defined() ? weights.to(at::kFloat).contiguous() : at::Tensor();
  const IndexCheck arguments{kind, values.numel(), values.const_data_ptr<int64_t>(), limit,
                             data_or_null<const float>(narrow)};
  launch(values, check_on_cpu, LONGHAUL_CUDA_KERNEL(cuda::check_indices), arguments);
}

void check_unit_gradient(const at::Tensor& value) {
  throw_device_faults();
  const at::Tensor narrow = value.to(at::kFloat);
  launch(value, check_unit_on_cpu, LONGHAUL_CUDA_KERNEL(cuda::check_unit), UnitCheck{narrow.const_data_ptr<float>()});
}

}  // namespace longhaul::ops
