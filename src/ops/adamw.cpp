#include "longhaul/ops/adamw.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/dot.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/ones_like.h>

#include <cmath>
#include <limits>

#include "longhaul/core/error.h"
#include "ops/adamw_kernels.h"
#include "ops/dispatch.h"

namespace longhaul::ops {
namespace {

void check_buffer(const char* name, const at::Tensor& x, const at::Tensor& master, at::ScalarType type) {
  LONGHAUL_CHECK(x.defined() && x.scalar_type() == type && x.is_contiguous() && x.device() == master.device() &&
                     x.numel() == master.numel(),
                 "AdamW's {} has to be contiguous {}, as long as `master` and on its device", name,
                 c10::toString(type));
}

// FP64, which no run has: for tests that compare layouts more closely than FP32 can.
void adamw_double(const at::Tensor& master_in, const at::Tensor& moment1_in, const at::Tensor& moment2_in,
                  const at::Tensor& grad_in, const AdamWOptions& o, bool zero_grad) {
  at::Tensor master = master_in, moment1 = moment1_in, moment2 = moment2_in, grad = grad_in;
  const double scale = o.grad_scale.defined() ? o.grad_scale.item<double>() : 1.0;
  if (!std::isfinite(scale)) return;
  const at::Tensor g = grad * scale;
  moment1.lerp_(g, 1 - o.beta1);
  moment2.mul_(o.beta2).addcmul_(g, g, 1 - o.beta2);
  const double step = static_cast<double>(o.step);
  const double correction1 = 1 - std::pow(o.beta1, step), correction2 = 1 - std::pow(o.beta2, step);
  master.mul_(1 - o.lr * o.weight_decay);
  master.addcdiv_(moment1, (moment2 / correction2).sqrt_().add_(o.eps), -o.lr / correction1);
  if (zero_grad) grad.zero_();
}

}  // namespace

void adamw_step(const at::Tensor& master, const at::Tensor& moment1, const at::Tensor& moment2, const at::Tensor& grad,
                const at::Tensor& model, const AdamWOptions& options, bool zero_grad) {
  if (master.scalar_type() == at::kDouble) return adamw_double(master, moment1, moment2, grad, options, zero_grad);
  check_buffer("master", master, master, at::kFloat);
  check_buffer("moment1", moment1, master, at::kFloat);
  check_buffer("moment2", moment2, master, at::kFloat);
  check_buffer("grad", grad, master, at::kFloat);
  const bool copy_out = model.defined() && model.data_ptr() != master.data_ptr();
  if (copy_out) check_buffer("model copy", model, master, at::kBFloat16);
  LONGHAUL_CHECK(!options.grad_scale.defined() ||
                     (options.grad_scale.numel() == 1 && options.grad_scale.scalar_type() == at::kDouble &&
                      options.grad_scale.device() == master.device()),
                 "AdamW's grad_scale has to be one FP64 number on the device of `master`");
  LONGHAUL_CHECK(options.step >= 1, "AdamW counts steps from 1, not {}", options.step);

  const double step = static_cast<double>(options.step);
  AdamWArguments a;
  a.count = master.numel();
  a.master = data_or_null<float>(master);
  a.moment1 = data_or_null<float>(moment1);
  a.moment2 = data_or_null<float>(moment2);
  a.grad = data_or_null<float>(grad);
  a.model = copy_out ? data_or_null(model) : nullptr;
  a.zero_grad = zero_grad;
  a.grad_scale = data_or_null<const double>(options.grad_scale);
  a.one_minus_beta1 = static_cast<float>(1 - options.beta1);
  a.beta2 = static_cast<float>(options.beta2);
  a.one_minus_beta2 = static_cast<float>(1 - options.beta2);
  a.decay = static_cast<float>(1 - options.lr * options.weight_decay);
  a.step_size = static_cast<float>(options.lr / (1 - std::pow(options.beta1, step)));
  a.inverse_root_correction = static_cast<float>(1 / std::sqrt(1 - std::pow(options.beta2, step)));
  a.eps = static_cast<float>(options.eps);
  if (a.count > 0) launch(master, cpu::adamw, LONGHAUL_CUDA_KERNEL(cuda::adamw), a);
}

void add_squared_norm(const at::Tensor& x, const at::Tensor& sum) {
  LONGHAUL_CHECK(sum.numel() == 1 && sum.scalar_type() == at::kDouble && sum.device() == x.device(),
                 "a squared norm is added to one FP64 number on the device of its tensor");
  if (x.numel() == 0) return;
  if (x.scalar_type() == at::kDouble) {
    at::Tensor(sum).add_(at::dot(x.reshape({-1}), x.reshape({-1})));
    return;
  }
  LONGHAUL_CHECK(x.scalar_type() == at::kFloat, "add_squared_norm takes FP32, not {}", c10::toString(x.scalar_type()));
  const at::Tensor flat = x.contiguous();
  const at::Tensor partials = at::empty({(flat.numel() + kNormChunk - 1) / kNormChunk}, sum.options());
  const SquaredNormArguments a{flat.numel(), data_or_null<const float>(flat), data_or_null<double>(partials),
                               data_or_null<double>(sum)};
  launch(flat, cpu::squared_norm, LONGHAUL_CUDA_KERNEL(cuda::squared_norm), a);
}

at::Tensor clipping_scale(const at::Tensor& squared, double limit) {
  const at::Tensor norm = squared.sqrt();
  const at::Tensor scale =
      limit <= 0 ? at::ones_like(norm) : (at::full_like(norm, limit) / (norm + 1e-6)).clamp_max_(1.0);
  return scale.masked_fill_(norm.isfinite().logical_not_(), std::numeric_limits<double>::quiet_NaN());
}

}  // namespace longhaul::ops
