#include "longhaul/train/evaluator.h"

#include <ATen/ops/dot.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "longhaul/core/error.h"
#include "longhaul/data/loader.h"
#include "longhaul/ops/device.h"
#include "longhaul/train/device_batch.h"
#include "ops/tensor_buffer.h"

namespace longhaul {
namespace {

struct Sum {
  double loss = 0;
  double tokens = 0;
};

// Sends micro-batches through this rank's stages, and adds up what the last one gives.
class StageEvaluator {
 public:
  StageEvaluator(Transformer& model, comm::Communicator* pipeline)
      : model_(model), ranks_(pipeline), tensor_(model.parameters().tensor()) {}

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
      ops::throw_device_faults();
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

Sum sum_over_ranks(const Sum& own, const EvaluationRanks& ranks, c10::Device device) {
  if (ranks.data == nullptr && ranks.pipeline == nullptr) return own;
  const at::Tensor sum = at::tensor({own.loss, own.tokens}, at::TensorOptions().dtype(at::kDouble)).to(device);
  ops::sum_over(ranks.data, sum);
  ops::sum_over(ranks.pipeline, sum);
  const at::Tensor on_host = sum.cpu();
  ops::throw_device_faults();  // of the stages before the last
  return {on_host.const_data_ptr<double>()[0], on_host.const_data_ptr<double>()[1]};
}

}  // namespace

Evaluation evaluate(Transformer& model, const std::shared_ptr<const Dataset>& dataset, const EvaluationPlan& plan,
                    const std::function<void(int64_t, int64_t)>& on_progress, const EvaluationRanks& ranks) {
  c10::AutoGradMode no_grad(false);
  const int64_t total = plan.samples > 0 ? std::min(plan.samples, dataset->size()) : dataset->size();
  const int64_t readers = ranks.data != nullptr ? ranks.data->size() : 1;
  const int64_t reader = ranks.data != nullptr ? ranks.data->rank() : 0;
  StageEvaluator evaluator(model, ranks.pipeline);
  int64_t done = 0;
  const auto run = [&](const SamplerOptions& sampler, int64_t rank, int64_t batches, int64_t consumed,
                       bool counts = true) {
    if (batches == 0) return;
    Loader loader(dataset, sampler,
                  {.rank = rank, .sequence_length = plan.sequence_length, .masks = plan.masks, .batches = batches},
                  consumed);
    Batch batch;
    while (loader.next(batch)) {
      if (!counts) std::fill(batch.loss_mask.begin(), batch.loss_mask.end(), 0.0F);
      evaluator.add(batch);
      done = std::min(done + batch.sequences * readers, total);
      if (on_progress) on_progress(done, total);
    }
  };
  // Whole micro-batches for every reader first. What is left over gives some of them one more, the last one smaller.
  // The others read the first sample again and count nothing: their share of the parameters may be wanted (ZeRO 3).
  const int64_t stride = plan.micro_batch * readers, whole = total / stride;
  run({.micro_batch = plan.micro_batch, .ranks = readers}, reader, whole, 0);
  const int64_t first = whole * stride + reader * plan.micro_batch;
  const int64_t rest = std::clamp<int64_t>(total - first, 0, plan.micro_batch);
  if (total % stride > 0) run({.micro_batch = std::max<int64_t>(rest, 1)}, 0, 1, rest > 0 ? first : 0, rest > 0);
  const Sum sum = sum_over_ranks(evaluator.finish(), ranks, model.parameters().options().device);
  if (sum.tokens == 0)
    throw UserError(
        "there is no token to predict in the evaluation data: give it more documents, or a greater share of the split");
  return {sum.loss / sum.tokens, static_cast<int64_t>(sum.tokens)};
}

}  // namespace longhaul
