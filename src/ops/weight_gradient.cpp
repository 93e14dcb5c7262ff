#include "ops/weight_gradient.h"

#include <ATen/ops/zeros.h>

#include "longhaul/core/error.h"
#include "ops/dispatch.h"
#include "ops/gemm.h"
#include "ops/weight_gradient_queue.h"

namespace longhaul::ops {

WeightGradient::WeightGradient(const at::Tensor& value, const at::Tensor& main_grad, bool needed) {
  if (!value.defined()) return;
  if (main_grad.defined()) {
    sum_ = main_grad;
  } else if (needed) {
    goes_to_autograd_ = true;
    type_ = value.scalar_type();
    sum_ = at::zeros(value.sizes(), value.options().dtype(compute_type(value)).requires_grad(false));
  }
}

void WeightGradient::add_product(const at::Tensor& left, const at::Tensor& right, WeightGradientQueue* queue) const {
  if (!sum_.defined()) return;
  WeightGradientQueue::run_or_queue(goes_to_autograd_ ? nullptr : queue,
                                    [left, right, sum = sum_] { gemm(left, right, sum, GemmMode::accumulate); });
}

at::Tensor WeightGradient::for_autograd() const {
  return goes_to_autograd_ ? sum_.to(type_) : at::Tensor();
}

void check_weight(const char* name, const at::Tensor& value, const at::Tensor& main_grad, const at::Tensor& x) {
  if (!value.defined()) return;
  LONGHAUL_CHECK(value.is_contiguous(), "{} is not contiguous", name);
  LONGHAUL_CHECK(value.scalar_type() == x.scalar_type(), "{} is {}, its input {}", name,
                 c10::toString(value.scalar_type()), c10::toString(x.scalar_type()));
  LONGHAUL_CHECK(value.device() == x.device(), "{} is on {}, its input on {}", name, value.device().str(),
                 x.device().str());
  if (!main_grad.defined()) return;
  LONGHAUL_CHECK(main_grad.scalar_type() == compute_type(value), "main_grad of {} has to be {}", name,
                 c10::toString(compute_type(value)));
  LONGHAUL_CHECK(
      main_grad.is_contiguous() && main_grad.sizes() == value.sizes() && main_grad.device() == value.device(),
      "main_grad of {} has to be contiguous, of the weight's shape and on its device", name);
}

}  // namespace longhaul::ops
