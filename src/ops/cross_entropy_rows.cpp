#include "ops/cross_entropy_rows.h"

#include <ATen/ops/empty.h>

#include "ops/cross_entropy_kernels.h"
#include "ops/dispatch.h"

namespace longhaul::ops {
namespace {

CrossEntropyArguments arguments_of(CrossEntropyPass pass, const at::Tensor& logits, const at::Tensor& labels,
                                   const CrossEntropyRows& options, const RowStatistics& statistics) {
  CrossEntropyArguments arguments{};
  arguments.pass = pass;
  arguments.logits_type = arguments.type = element_type(logits);
  arguments.rows = logits.size(0);
  arguments.classes = logits.size(1);
  arguments.row_stride = logits.stride(0);
  arguments.z_loss = options.z_loss;
  arguments.logit_softcap = options.logit_softcap;
  arguments.logits = logits.mutable_data_ptr();
  arguments.labels = labels.const_data_ptr<int64_t>();
  arguments.top = data_or_null(statistics.top);
  arguments.sum = data_or_null(statistics.sum);
  arguments.label_logit = data_or_null(statistics.label_logit);
  return arguments;
}

void run(const at::Tensor& logits, const CrossEntropyArguments& arguments) {
  launch(logits, cpu::cross_entropy_rows, LONGHAUL_CUDA_KERNEL(cuda::cross_entropy_rows), arguments);
}

}  // namespace

RowStatistics row_statistics(const at::Tensor& logits, const at::Tensor& labels, const CrossEntropyRows& options) {
  const auto wide = logits.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto make = [&] { return at::empty({logits.size(0)}, logits.options().dtype(wide)); };
  const RowStatistics statistics{make(), make(), make()};
  run(logits, arguments_of(CrossEntropyPass::statistics, logits, labels, options, statistics));
  return statistics;
}

void cross_entropy_rows(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& weights,
                        const CrossEntropyRows& options, const RowStatistics& statistics, const at::Tensor& losses,
                        const at::Tensor& weighted, const at::Tensor& gradient) {
  const auto pass = statistics.defined() ? CrossEntropyPass::finish : CrossEntropyPass::whole;
  CrossEntropyArguments arguments = arguments_of(pass, logits, labels, options, statistics);
  if (gradient.defined()) {
    arguments.type = element_type(gradient);
    arguments.gradient_stride = gradient.stride(0);
  }
  arguments.weights = weights.const_data_ptr();
  arguments.losses = losses.mutable_data_ptr();
  arguments.weighted = weighted.mutable_data_ptr();
  arguments.gradient = data_or_null(gradient);
  run(logits, arguments);
}

// The upper half of each row's memory: the kernel goes from a row's end to its beginning, and what it writes
// for a class lies above all that it still has to read (4 bytes · class <= 2 bytes · (stride + class)).
at::Tensor gradient_in_place(const at::Tensor& rows_memory, int64_t classes) {
  const int64_t stride = rows_memory.size(1);
  return rows_memory.view(at::kBFloat16).narrow(1, stride, classes);
}

}  // namespace longhaul::ops
