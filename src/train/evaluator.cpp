#include "longhaul/train/evaluator.h"

#include <ATen/ops/dot.h>
#include <c10/core/GradMode.h>

#include <algorithm>

#include "longhaul/core/error.h"
#include "longhaul/data/loader.h"
#include "longhaul/train/device_batch.h"

namespace longhaul {
namespace {

struct Sum {
  double loss = 0;
  double tokens = 0;
};

void add_batches(Transformer& model, Loader& loader, Sum& sum, const std::function<void(int64_t)>& on_samples) {
  const auto device = model.parameters().options().device;
  Batch batch;
  while (loader.next(batch)) {
    LayerContext context;
    const DeviceBatch on_device = to_device(batch, 1.0, device, context);
    const auto result = model.loss(on_device.tokens, on_device.labels, on_device.weights, context, {});
    sum.loss += at::dot(result.token_losses, on_device.weights).item<double>();
    for (const float valid : batch.loss_mask) sum.tokens += valid;
    on_samples(batch.sequences);
  }
}

}  // namespace

Evaluation evaluate(Transformer& model, const std::shared_ptr<const Dataset>& dataset, const EvaluationPlan& plan,
                    const std::function<void(int64_t, int64_t)>& on_progress) {
  c10::AutoGradMode no_grad(false);
  const int64_t total = plan.samples > 0 ? std::min(plan.samples, dataset->size()) : dataset->size();
  int64_t done = 0;
  const auto on_samples = [&](int64_t samples) {
    done += samples;
    if (on_progress) on_progress(done, total);
  };
  Sum sum;
  // Whole micro-batches first, then what is left over as one smaller one.
  const int64_t whole = total / plan.micro_batch, rest = total % plan.micro_batch;
  const auto run = [&](int64_t micro_batch, int64_t batches, int64_t consumed) {
    if (batches == 0) return;
    Loader loader(dataset, {.micro_batch = micro_batch},
                  {.sequence_length = plan.sequence_length, .masks = plan.masks, .batches = batches}, consumed);
    add_batches(model, loader, sum, on_samples);
  };
  run(plan.micro_batch, whole, 0);
  run(rest, rest > 0 ? 1 : 0, whole * plan.micro_batch);
  if (sum.tokens == 0) throw UserError("there is no token to predict in the evaluation data: give it more documents, or a greater share of the split");
  return {sum.loss / sum.tokens, static_cast<int64_t>(sum.tokens)};
}

}  // namespace longhaul
