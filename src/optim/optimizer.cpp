#include "longhaul/optim/optimizer.h"

#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "longhaul/core/error.h"
#include "longhaul/ops/adamw.h"

namespace longhaul {
namespace {

constexpr double kClipEps = 1e-6;  // as torch.nn.utils.clip_grad_norm_ and Megatron-LM have it

}  // namespace

Optimizer::Optimizer(ParameterStore& store, const OptimizerConfig& config) : store_(store), config_(config) {
  LONGHAUL_CHECK(store.flat_main_grads().defined(), "the model has no main gradients");
  c10::AutoGradMode no_grad(false);
  const at::Tensor& values = store.flat_values();
  master_ = values.scalar_type() == at::kFloat ? values : values.to(at::kFloat);
  moment1_ = at::zeros_like(master_);
  moment2_ = at::zeros_like(master_);
  masters_ = store.views_of(master_);
  moments1_ = store.views_of(moment1_);
  moments2_ = store.views_of(moment2_);
}

void Optimizer::publish() {
  c10::AutoGradMode no_grad(false);
  if (!master_.is_same(store_.flat_values())) store_.flat_values().copy_(master_);
}

double Optimizer::step(double learning_rate) {
  c10::AutoGradMode no_grad(false);
  store_.collect_autograd_gradients();
  const at::Tensor& grads = store_.flat_main_grads();
  const double norm = std::sqrt(ops::squared_norm(grads));
  if (!std::isfinite(norm)) return norm;

  ops::AdamWOptions options;
  options.lr = learning_rate;
  options.beta1 = config_.beta1;
  options.beta2 = config_.beta2;
  options.eps = config_.eps;
  options.step = ++steps_taken_;
  if (config_.clip_norm > 0) options.grad_scale = std::min(1.0, config_.clip_norm / (norm + kClipEps));

  const bool separate = !master_.is_same(store_.flat_values());
  const auto update = [&](int64_t begin, int64_t end, double weight_decay) {
    if (begin == end) return;
    options.weight_decay = weight_decay;
    const auto range = [&](const at::Tensor& flat) { return flat.narrow(0, begin, end - begin); };
    ops::adamw_step(range(master_), range(moment1_), range(moment2_), range(grads),
                    separate ? range(store_.flat_values()) : at::Tensor(), options, /*zero_grad=*/true);
  };
  update(0, store_.decayed_elements(), config_.weight_decay);
  update(store_.decayed_elements(), master_.numel(), 0);
  return norm;
}

}  // namespace longhaul
