#include "train/evaluate_in_layout.h"

#include <ATen/ops/dot.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <vector>

#include "longhaul/core/error.h"
#include "longhaul/train/device_batch.h"
#include "ops/tensor_buffer.h"

namespace longhaul {
namespace {

struct Sum {
  double loss = 0;
  double tokens = 0;
};

class Evaluator {
 public:
  Evaluator(Transformer& model, const ParallelLayout& layout)
      : model_(model), ranks_(layout.pipeline()), tensor_(model.parameters().tensor()) {}

  // One micro-batch through all stages.
  void add(const Batch& batch) {
    const auto& options = model_.parameters().options();
    LayerContext context;
    const DeviceBatch on_device = to_device(batch, 1.0, options.device, context);
    for (size_t chunk = 0; chunk < model_.stages().size(); ++chunk) {
      const Stage& stage = model_.stages()[chunk];
      at::Tensor input = on_device.tokens;
      if (!stage.embedding) {
        input = at::empty({tensor_.held_tokens(batch.token_count()), model_.config().hidden},
                          at::TensorOptions().dtype(options.dtype).device(options.device));
        ranks_->receive(ops::buffer_of(input), (ranks_->rank() + ranks_->size() - 1) % ranks_->size()).wait();
      }
      const at::Tensor out = model_.forward_stage(chunk, input, context);
      if (!stage.output) {
        sent_.wait();
        sending_ = out.contiguous();
        sent_ = ranks_->send(ops::buffer_of(sending_), (ranks_->rank() + 1) % ranks_->size());
        continue;
      }
      const auto result = model_.loss_of_hidden(out, on_device.labels, on_device.weights, {});
      sum_.loss += at::dot(result.token_losses, on_device.weights).item<double>();
      for (const float valid : batch.loss_mask) sum_.tokens += valid;
    }
  }

  Sum finish() {
    sent_.wait();
    return sum_;
  }

 private:
  Transformer& model_;
  comm::Communicator* ranks_;
  const TensorGroup tensor_;
  Sum sum_;
  at::Tensor sending_;
  comm::Work sent_;
};

// Samples [first, first + count).
Batch make_batch(const Dataset& dataset, const EvaluationPlan& plan, int64_t first, int64_t count) {
  Batch batch;
  start_batch(batch, plan.sequence_length);
  Sample sample;
  for (int64_t i = first; i < first + count; ++i) {
    dataset.get(i, sample);
    append_sample(batch, sample, plan.masks);
  }
  return batch;
}

}  // namespace

Evaluation evaluate_in_layout(Transformer& model, const ParallelLayout& layout,
                              const std::shared_ptr<const Dataset>& dataset, const EvaluationPlan& plan,
                              const std::function<void(int64_t, int64_t)>& on_progress) {
  if (layout.ranks() == 1) return evaluate(model, dataset, plan, on_progress);
  c10::AutoGradMode no_grad(false);
  const int64_t total = plan.samples > 0 ? std::min(plan.samples, dataset->size()) : dataset->size();
  Evaluator evaluator(model, layout);
  // Micro-batches in turn; the last one of all may be smaller, and some ranks may have one fewer.
  const int64_t stride = plan.micro_batch * layout.data_ranks();
  for (int64_t first = layout.data_rank() * plan.micro_batch; first < total; first += stride) {
    evaluator.add(make_batch(*dataset, plan, first, std::min(plan.micro_batch, total - first)));
    if (on_progress) on_progress(std::min(first + stride, total), total);
  }
  const Sum own = evaluator.finish();
  const at::Tensor sum = at::tensor({own.loss, own.tokens}, at::TensorOptions().dtype(at::kDouble))
                             .to(model.parameters().options().device);
  for (comm::Communicator* ranks : {layout.data(), layout.pipeline()}) {
    if (ranks != nullptr) ranks->all_reduce(ops::buffer_of(sum)).wait();
  }
  const at::Tensor on_host = sum.cpu();
  const double loss = on_host.const_data_ptr<double>()[0], tokens = on_host.const_data_ptr<double>()[1];
  if (tokens == 0) throw UserError("the evaluation data holds no token to predict: check data.valid or data.split");
  return {loss / tokens, static_cast<int64_t>(tokens)};
}

}  // namespace longhaul
