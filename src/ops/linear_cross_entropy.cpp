#include "longhaul/ops/linear_cross_entropy.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/nonzero.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "longhaul/core/error.h"
#include "longhaul/ops/cross_entropy_chunk.h"
#include "ops/cross_entropy_rows.h"
#include "ops/dispatch.h"
#include "ops/gemm.h"
#include "ops/index_check.h"
#include "ops/tensor_buffer.h"

namespace longhaul::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The tokens that the loss is computed of.
struct Rows {
  at::Tensor index;    // [rows] int64, undefined where these are all tokens
  at::Tensor hidden;   // [rows, hidden]
  at::Tensor labels;   // [rows]
  at::Tensor weights;  // [rows]
};

// Those of weight other than 0; on CUDA all, since nobody but the device knows how many those are.
Rows active_rows(const at::Tensor& hidden, const at::Tensor& labels, const at::Tensor& weights) {
  if (on_cuda(hidden)) return {{}, hidden, labels, weights};
  const at::Tensor active = at::nonzero(weights).squeeze(1);
  if (active.size(0) == weights.size(0)) return {{}, hidden, labels, weights};
  return {active, hidden.index_select(0, active), labels.index_select(0, active), weights.index_select(0, active)};
}

struct Outputs {
  at::Tensor loss;          // scalar
  at::Tensor token_losses;  // [rows]
  at::Tensor dhidden;       // [rows, hidden]
};

// This rank's rows of the weight.
struct Vocabulary {
  comm::Communicator* ranks;  // null: it has all
  int64_t first;              // number of its first row in the whole weight
  int64_t rows;               // without padding
  int64_t total;              // of all ranks

  Vocabulary(const CrossEntropyOptions& options, int64_t weight_rows) : ranks(options.vocabulary) {
    const int64_t size = ranks != nullptr ? ranks->size() : 1;
    total = options.vocab_size > 0 ? options.vocab_size : weight_rows * size;
    first = ranks != nullptr ? ranks->rank() * weight_rows : 0;
    rows = std::clamp<int64_t>(total - first, 0, weight_rows);
  }
};

// From each rank's statistics those of the whole vocabulary, on every rank.
void combine(const RowStatistics& local, comm::Communicator& ranks) {
  const at::Tensor own_top = local.top.clone();
  ranks.all_reduce(buffer_of(local.top), comm::ReduceOp::max).wait();
  const at::Tensor sums = at::stack({local.sum * (own_top - local.top).exp(), local.label_logit});
  ranks.all_reduce(buffer_of(sums)).wait();
  at::Tensor sum = local.sum, label_logit = local.label_logit;
  sum.copy_(sums.select(0, 0));
  label_logit.copy_(sums.select(0, 1));
}

// What a chunk's logits are written to, and their gradient.
struct ChunkMemory {
  at::Tensor logits;     // [chunk, vocab]
  at::Tensor gradients;  // [chunk, vocab] of the dtype of `hidden`, undefined without gradients
};

ChunkMemory chunk_memory(int64_t chunk, int64_t vocab, const at::Tensor& hidden, at::ScalarType logits_type,
                         bool gradients) {
  const auto logits_options = hidden.options().dtype(logits_type);
  const bool one_type = hidden.scalar_type() == logits_type;
  if (hidden.is_cpu()) {
    const at::Tensor logits = at::empty({chunk, vocab}, logits_options);
    if (!gradients) return {logits, {}};
    return {logits, one_type ? logits : at::empty({chunk, vocab}, hidden.options())};
  }
  // Rows that begin on 16 bytes, for the kernels' sake, whatever the vocabulary.
  const at::Tensor memory = at::empty({chunk, (vocab + 7) / 8 * 8}, logits_options);
  const at::Tensor logits = memory.narrow(1, 0, vocab);
  if (!gradients) return {logits, {}};
  return {logits, one_type ? logits : gradient_in_place(memory, vocab)};
}

// Loss of all rows; with `gradients` also dhidden, and `dweight` [vocab, hidden] += the weight's gradient.
Outputs run_chunks(const Rows& rows, const at::Tensor& weight, const Vocabulary& vocabulary,
                   const CrossEntropyOptions& options, bool gradients, const at::Tensor& dweight) {
  const auto wide = rows.hidden.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto wide_options = rows.hidden.options().dtype(wide);
  const int64_t count = rows.hidden.size(0);
  const int64_t vocab = weight.size(0);
  const bool cuda = on_cuda(rows.hidden),
             bf16_logits = options.bf16_logits && rows.hidden.scalar_type() == at::kBFloat16;
  const int64_t chunk =
      std::min(options.chunk_tokens > 0 ? options.chunk_tokens : cross_entropy_chunk_tokens(vocab, cuda, bf16_logits),
               std::max<int64_t>(count, 1));
  Outputs outputs{{}, at::empty({count}, wide_options), {}};
  if (gradients) outputs.dhidden = at::empty_like(rows.hidden);
  const at::Tensor weights = rows.weights.to(wide);
  const at::Tensor weighted = at::empty({count}, wide_options);
  const at::Tensor labels = vocabulary.first == 0 ? rows.labels : rows.labels - vocabulary.first;
  // The CPU's kernel reads FP32, from its caches: BF16 would gain nothing there.
  const ChunkMemory memory =
      chunk_memory(chunk, vocab, rows.hidden, cuda && bf16_logits ? at::kBFloat16 : wide, gradients);
  for (int64_t begin = 0; begin < count; begin += chunk) {
    const int64_t size = std::min(chunk, count - begin);
    const at::Tensor hidden = rows.hidden.narrow(0, begin, size);
    const at::Tensor logits = memory.logits.narrow(0, 0, size);
    const at::Tensor dlogits = gradients ? memory.gradients.narrow(0, 0, size) : at::Tensor();
    gemm(hidden, weight.t(), logits);
    if (bf16_logits && !cuda) at::Tensor(logits).copy_(logits.to(at::kBFloat16));
    const CrossEntropyRows row_options{options.z_loss, options.logit_softcap};
    const at::Tensor chunk_labels = labels.narrow(0, begin, size);
    RowStatistics statistics;
    if (vocabulary.ranks != nullptr) {
      statistics = row_statistics(logits, chunk_labels, row_options);
      combine(statistics, *vocabulary.ranks);
    }
    cross_entropy_rows(logits, chunk_labels, weights.narrow(0, begin, size), row_options, statistics,
                       outputs.token_losses.narrow(0, begin, size), weighted.narrow(0, begin, size), dlogits);
    if (!gradients) continue;
    gemm(dlogits, weight, outputs.dhidden.narrow(0, begin, size));
    if (dweight.defined()) gemm(dlogits.t(), hidden, dweight, GemmMode::accumulate);
  }
  outputs.loss = weighted.sum(at::kDouble).to(wide);
  return outputs;
}

// [tokens, …] with the active rows at their places and 0 elsewhere.
at::Tensor scatter_rows(const at::Tensor& values, const at::Tensor& index, int64_t tokens) {
  if (!index.defined()) return values;
  auto shape = values.sizes().vec();
  shape[0] = tokens;
  at::Tensor full = at::zeros(shape, values.options());
  return full.index_copy_(0, index, values);
}

// Tensors that autograd shall not track.
struct Constants {
  at::Tensor main_grad, labels, token_weights;
};

class LinearCrossEntropyFunction : public torch::autograd::Function<LinearCrossEntropyFunction> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& hidden_in, const at::Tensor& weight,
                               const Constants& constants, const CrossEntropyOptions& options, bool gradients) {
    const at::Tensor hidden = hidden_in.contiguous();
    const Vocabulary vocabulary(options, weight.size(0));
    const int64_t vocab = vocabulary.rows;
    const at::Tensor& main_grad = constants.main_grad;
    check_indices(Fault::label, constants.labels, vocabulary.total, constants.token_weights);
    const Rows rows = active_rows(hidden, constants.labels, constants.token_weights);
    const bool weight_gradient = gradients && (main_grad.defined() || weight.requires_grad());
    const bool direct = options.unit_gradient && main_grad.defined();
    at::Tensor dweight;
    if (weight_gradient) {
      const auto wide = weight.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
      dweight = direct ? main_grad : at::zeros(weight.sizes(), weight.options().dtype(wide));
    }
    const Outputs outputs = run_chunks(rows, weight.narrow(0, 0, vocab), vocabulary, options, gradients,
                                       dweight.defined() ? dweight.narrow(0, 0, vocab) : at::Tensor());
    const at::Tensor token_losses = scatter_rows(outputs.token_losses, rows.index, hidden.size(0));
    context->mark_non_differentiable({token_losses});
    if (gradients) {
      context->saved_data["dhidden"] = scatter_rows(outputs.dhidden, rows.index, hidden.size(0));
      context->saved_data["dweight"] = direct ? at::Tensor() : dweight;
      context->saved_data["main_grad"] = main_grad;
      context->saved_data["unit_gradient"] = options.unit_gradient;
      context->saved_data["weight_type"] = weight.scalar_type();
    }
    return {outputs.loss, token_losses};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const at::Tensor& dloss = gradients[0];
    variable_list result(5);
    const at::Tensor dhidden = context->saved_data["dhidden"].toTensor();
    const at::Tensor dweight = context->saved_data["dweight"].toTensor();
    if (context->saved_data["unit_gradient"].toBool()) {
      check_unit_gradient(dloss);
      result[0] = dhidden;
    } else {
      result[0] = dhidden * dloss;
    }
    if (dweight.defined()) {
      if (at::Tensor main_grad = context->saved_data["main_grad"].toTensor(); main_grad.defined()) {
        main_grad.addcmul_(dweight, dloss);
      } else {
        result[1] = (dweight * dloss).to(context->saved_data["weight_type"].toScalarType());
      }
    }
    return result;
  }
};

}  // namespace

CrossEntropyResult linear_cross_entropy(const at::Tensor& hidden, const Weight& weight, const at::Tensor& labels,
                                        const at::Tensor& token_weights, const CrossEntropyOptions& options) {
  LONGHAUL_CHECK(hidden.dim() == 2 && weight.value.dim() == 2 && hidden.size(1) == weight.value.size(1),
                 "hidden of {} columns and a weight of {}", hidden.size(-1), weight.value.size(-1));
  LONGHAUL_CHECK(labels.numel() == hidden.size(0) && token_weights.numel() == hidden.size(0),
                 "{} labels and {} weights for {} tokens", labels.numel(), token_weights.numel(), hidden.size(0));
  const int64_t all_rows = weight.value.size(0) * (options.vocabulary != nullptr ? options.vocabulary->size() : 1);
  LONGHAUL_CHECK(options.vocab_size <= all_rows, "a vocabulary of {} in a weight of {} rows", options.vocab_size,
                 all_rows);
  const bool gradients = c10::GradMode::is_enabled() && (hidden.requires_grad() || weight.value.requires_grad());
  const variable_list outputs = LinearCrossEntropyFunction::apply(
      hidden, weight.value, Constants{weight.main_grad, labels.reshape({-1}).contiguous(), token_weights.reshape({-1})},
      options, gradients);
  return {outputs[0], outputs[1]};
}

}  // namespace longhaul::ops
