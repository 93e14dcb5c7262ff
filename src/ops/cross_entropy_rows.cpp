#include "ops/cross_entropy_rows.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/tanh.h>

#include "ops/cross_entropy_rows_cpu.h"
#include "ops/dispatch.h"

namespace longhaul::ops {
namespace {

at::Tensor capped(const at::Tensor& logits, double cap) { return at::tanh(logits / cap) * cap; }

// Where the classes are only a part: 1 for labels among them, and those labels, 0 for the others.
struct LabelsHere {
  at::Tensor here;   // [rows, 1], of the logits' type
  at::Tensor index;  // [rows, 1]
  LabelsHere(const at::Tensor& logits, const at::Tensor& labels) {
    const at::Tensor inside = (labels >= 0).logical_and_(labels < logits.size(1)).unsqueeze(1);
    here = inside.to(logits.scalar_type());
    index = labels.unsqueeze(1) * inside;
  }
};

void statistics_generic(const at::Tensor& logits, const at::Tensor& labels, const CrossEntropyRows& options,
                        RowStatistics& out) {
  if (options.logit_softcap > 0) at::Tensor(logits).copy_(capped(logits, options.logit_softcap));
  const LabelsHere label(logits, labels);
  out.top.copy_(at::amax(logits, {1}));
  out.sum.copy_(at::exp(logits - out.top.unsqueeze(1)).sum(1));
  out.label_logit.copy_((logits.gather(1, label.index) * label.here).squeeze(1));
}

// `logits` capped already; `gradient` with respect to the raw ones.
void finish_generic(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& weights,
                    const CrossEntropyRows& options, const RowStatistics& statistics, at::Tensor losses,
                    at::Tensor weighted, at::Tensor gradient) {
  const at::Tensor lse = statistics.top + statistics.sum.log();
  losses.copy_(lse - statistics.label_logit);
  weighted.copy_(weights * (losses + options.z_loss * lse * lse));
  if (!gradient.defined()) return;
  const LabelsHere label(logits, labels);
  const at::Tensor scale = weights * (1 + 2 * options.z_loss * lse);
  at::Tensor d = at::exp(logits - lse.unsqueeze(1)) * scale.unsqueeze(1);
  d.scatter_add_(1, label.index, -weights.unsqueeze(1) * label.here);
  if (options.logit_softcap > 0) {
    const at::Tensor t = logits / options.logit_softcap;
    d = d * (1 - t * t);
  }
  gradient.copy_(d);
}

RowStatistics empty_statistics(const at::Tensor& logits) {
  const auto make = [&] { return at::empty({logits.size(0)}, logits.options()); };
  return {make(), make(), make()};
}

cpu::CrossEntropyArguments cpu_arguments(cpu::CrossEntropyPass pass, const at::Tensor& logits,
                                         const at::Tensor& labels, const CrossEntropyRows& options,
                                         const RowStatistics& statistics) {
  cpu::CrossEntropyArguments arguments{};
  arguments.pass = pass;
  arguments.type = element_type(logits);
  arguments.rows = logits.size(0);
  arguments.classes = logits.size(1);
  arguments.z_loss = options.z_loss;
  arguments.logit_softcap = options.logit_softcap;
  arguments.logits = logits.mutable_data_ptr();
  arguments.labels = labels.const_data_ptr<int64_t>();
  arguments.top = data_or_null(statistics.top);
  arguments.sum = data_or_null(statistics.sum);
  arguments.label_logit = data_or_null(statistics.label_logit);
  return arguments;
}

}  // namespace

RowStatistics row_statistics(const at::Tensor& logits, const at::Tensor& labels, const CrossEntropyRows& options) {
  const OperatorScope scope("cross_entropy_statistics");
  RowStatistics statistics = empty_statistics(logits);
  if (logits.is_cpu()) {
    cpu::cross_entropy_rows(
        cpu_arguments(cpu::CrossEntropyPass::statistics, logits, labels, options, statistics));
  } else {
    statistics_generic(logits, labels, options, statistics);
  }
  return statistics;
}

void cross_entropy_rows(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& weights,
                        const CrossEntropyRows& options, const RowStatistics& statistics, const at::Tensor& losses,
                        const at::Tensor& weighted, const at::Tensor& gradient) {
  const OperatorScope scope("cross_entropy_rows");
  if (!logits.is_cpu()) {
    finish_generic(logits, labels, weights, options,
                   statistics.defined() ? statistics : row_statistics(logits, labels, options), losses, weighted,
                   gradient);
    return;
  }
  const auto pass = statistics.defined() ? cpu::CrossEntropyPass::finish : cpu::CrossEntropyPass::whole;
  cpu::CrossEntropyArguments arguments = cpu_arguments(pass, logits, labels, options, statistics);
  if (gradient.defined()) arguments.type = element_type(gradient);
  arguments.weights = weights.const_data_ptr();
  arguments.losses = losses.mutable_data_ptr();
  arguments.weighted = weighted.mutable_data_ptr();
  arguments.gradient = data_or_null(gradient);
  cpu::cross_entropy_rows(arguments);
}

}  // namespace longhaul::ops
