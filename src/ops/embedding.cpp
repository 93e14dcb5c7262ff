#include "longhaul/ops/embedding.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sort.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

#include "longhaul/core/error.h"
#include "ops/dispatch.h"
#include "ops/embedding_kernels.h"
#include "ops/index_check.h"
#include "ops/weight_gradient.h"

namespace longhaul::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// {ids ascending, the token of each}, tokens of equal ids in ascending order.
std::tuple<at::Tensor, at::Tensor> sort_ids(const at::Tensor& ids) {
  if (ids.device().is_cuda()) return at::sort(ids, /*stable=*/true, /*dim=*/0, /*descending=*/false);
  const int64_t tokens = ids.numel();
  const int64_t* values = ids.const_data_ptr<int64_t>();
  std::vector<std::pair<int64_t, int64_t>> pairs(tokens);
  for (int64_t t = 0; t < tokens; ++t) pairs[t] = {values[t], t};
  std::sort(pairs.begin(), pairs.end());
  const at::Tensor sorted = at::empty_like(ids), order = at::empty_like(ids);
  for (int64_t i = 0; i < tokens; ++i) {
    sorted.mutable_data_ptr<int64_t>()[i] = pairs[i].first;
    order.mutable_data_ptr<int64_t>()[i] = pairs[i].second;
  }
  return {sorted, order};
}

struct EmbeddingFunction : torch::autograd::Function<EmbeddingFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& table, const at::Tensor& ids,
                            const at::Tensor* main_grad) {
    const at::Tensor y = at::empty({ids.numel(), table.size(1)}, table.options().requires_grad(false));
    const EmbeddingForward arguments{
        element_type(table), ids.numel(),    table.size(0), table.size(1), data_or_null<const int64_t>(ids),
        data_or_null(table), data_or_null(y)};
    if (y.numel() > 0) launch(table, cpu::embedding_forward, LONGHAUL_CUDA_KERNEL(cuda::embedding_forward), arguments);
    context->save_for_backward({ids, table});
    context->saved_data["main_grad"] = *main_grad;
    return y;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const at::Tensor &ids = saved[0], &table = saved[1];
    const at::Tensor dy = gradients[0].contiguous();
    const WeightGradient dtable(table, context->saved_data["main_grad"].toTensor(), context->needs_input_grad(0));
    if (dy.numel() > 0) {
      const auto [sorted, order] = sort_ids(ids);
      const EmbeddingBackward arguments{element_type(dy),
                                        ids.numel(),
                                        table.size(0),
                                        dy.size(1),
                                        data_or_null<const int64_t>(sorted),
                                        data_or_null<const int64_t>(order),
                                        data_or_null(dy),
                                        data_or_null(dtable.sum())};
      launch(dy, cpu::embedding_backward, LONGHAUL_CUDA_KERNEL(cuda::embedding_backward), arguments);
    }
    return {dtable.for_autograd(), {}, {}};
  }
};

}  // namespace

void check_token_ids(const at::Tensor& ids, int64_t rows) {
  check_indices(Fault::token_id, ids.contiguous(), rows);
}

at::Tensor embedding(const at::Tensor& ids, const Weight& table) {
  LONGHAUL_CHECK(ids.dim() == 1 && ids.scalar_type() == at::kLong, "embedding takes ids [tokens] int64");
  LONGHAUL_CHECK(table.defined() && table.value.dim() == 2 && table.value.device() == ids.device(),
                 "embedding takes a table [rows, hidden] on the device of the ids");
  check_weight("an embedding table", table.value, table.main_grad, table.value);
  const at::Tensor flat = ids.contiguous();
  check_token_ids(flat, table.value.size(0));
  return EmbeddingFunction::apply(table.value, flat, &table.main_grad);
}

}  // namespace longhaul::ops
