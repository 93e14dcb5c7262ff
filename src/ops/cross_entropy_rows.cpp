#include "ops/cross_entropy_rows.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/logsumexp.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/tanh.h>

#include "ops/cross_entropy_rows_cpu.h"
#include "ops/dispatch.h"

namespace longhaul::ops {
namespace {

void rows_generic(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& weights,
                  const CrossEntropyRows& options, at::Tensor losses, at::Tensor weighted,
                  at::Tensor gradient) {
  at::Tensor capped = logits;
  at::Tensor slope;
  if (options.logit_softcap > 0) {
    const at::Tensor t = at::tanh(logits / options.logit_softcap);
    capped = t * options.logit_softcap;
    slope = 1 - t * t;
  }
  const at::Tensor lse = at::logsumexp(capped, 1);
  const at::Tensor index = labels.unsqueeze(1);
  losses.copy_(lse - capped.gather(1, index).squeeze(1));
  weighted.copy_(weights * (losses + options.z_loss * lse * lse));
  if (!gradient.defined()) return;
  const at::Tensor scale = weights * (1 + 2 * options.z_loss * lse);
  at::Tensor d = at::exp(capped - lse.unsqueeze(1)) * scale.unsqueeze(1);
  d.scatter_add_(1, index, -weights.unsqueeze(1));
  gradient.copy_(slope.defined() ? d * slope : d);
}

}  // namespace

void cross_entropy_rows(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& weights,
                        const CrossEntropyRows& options, const at::Tensor& losses, const at::Tensor& weighted,
                        const at::Tensor& gradient) {
  if (!logits.is_cpu()) {
    rows_generic(logits, labels, weights, options, losses, weighted, gradient);
    return;
  }
  cpu::CrossEntropyArguments arguments{};
  arguments.type = element_type(gradient.defined() ? gradient : logits);
  arguments.rows = logits.size(0);
  arguments.classes = logits.size(1);
  arguments.z_loss = options.z_loss;
  arguments.logit_softcap = options.logit_softcap;
  arguments.logits = logits.mutable_data_ptr();
  arguments.labels = labels.const_data_ptr<int64_t>();
  arguments.weights = weights.const_data_ptr();
  arguments.losses = losses.mutable_data_ptr();
  arguments.weighted = weighted.mutable_data_ptr();
  arguments.gradient = data_or_null(gradient);
  cpu::cross_entropy_rows(arguments);
}

}  // namespace longhaul::ops
