#include "longhaul/train/trainer.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/ops/dot.h>

#include <chrono>
#include <cmath>
#include <utility>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/log.h"
#include "longhaul/data/loader.h"
#include "longhaul/ops/host_memory.h"
#include "longhaul/optim/learning_rate.h"
#include "longhaul/recipes/load.h"
#include "longhaul/train/evaluator.h"
#include "longhaul/train/device.h"
#include "longhaul/train/device_batch.h"
#include "train/memory.h"
#include "train/metrics_log.h"
#include "train/model_source.h"
#include "train/progress_panel.h"
#include "train/run_checkpoints.h"
#include "train/run_data.h"
#include "train/run_folder.h"
#include "train/stop_signal.h"

namespace longhaul {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Recompute to_recompute(RecomputeMode mode) {
  switch (mode) {
    case RecomputeMode::none: return Recompute::none;
    case RecomputeMode::selective: return Recompute::selective;
    case RecomputeMode::full: return Recompute::full;
  }
  return Recompute::none;
}

ParameterStore::Options store_options(const Recipe& recipe, c10::Device device) {
  return {.dtype = recipe.trainer.precision == Precision::bf16 ? at::kBFloat16 : at::kFloat, .device = device};
}

}  // namespace

struct Trainer::State {
  State(const Recipe& wanted, RunFolder& folder)
      : source(wanted),
        recipe(source.recipe()),
        device(resolve_device(recipe.trainer.device)),
        resumed(find_resumed(recipe)),
        progress(progress_of(resumed)),
        data(open_run_data(recipe, source.side_car(), progress)),
        model(recipe.model, store_options(recipe, device)),
        optimizer(model.parameters(), recipe.optimizer),
        checkpoints(folder.make(), recipe, source.side_car(), data.train->order_id()) {
    fill();
    write_text(folder.make() / "config.json", full_recipe_text(recipe));
  }

  ModelSource source;
  const Recipe recipe;  // resolved
  const c10::Device device;
  std::optional<CheckpointReader> resumed;  // until the optimiser is filled
  RunProgress progress;
  RunData data;
  Transformer model;
  Optimizer optimizer;
  RunCheckpoints checkpoints;
  std::vector<std::function<void(const StepMetrics&)>> callbacks;

  void fill();
  StepMetrics take_step(Loader& loader);
  Evaluation evaluate(const std::shared_ptr<const Dataset>& dataset,
                      const std::function<void(int64_t, int64_t)>& on_progress = {});
  TrainResult run();
};

Trainer::Trainer(const Recipe& recipe) {
  ops::keep_host_memory();
  if (recipe.trainer.threads > 0) at::set_num_threads(static_cast<int>(recipe.trainer.threads));
  if (recipe.trainer.deterministic) at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  folder_ = std::make_unique<RunFolder>(run_folder(recipe));
  try {
    state_ = std::make_unique<State>(recipe, *folder_);
  } catch (const std::exception& error) {
    RunFolder::note(error);
    throw;
  }
}

Trainer::~Trainer() = default;

// Masters and moments, from where the run stands.
void Trainer::State::fill() {
  if (resumed) {
    checkpoints.load(*resumed, optimizer);
    log::info("resuming {} after step {} ({} samples)", recipe.trainer.run_dir, progress.step,
              progress.consumed_samples);
    resumed.reset();
  } else {
    source.fill(optimizer.masters());
  }
  optimizer.publish();
}

void Trainer::on_step(std::function<void(const StepMetrics&)> callback) {
  state_->callbacks.push_back(std::move(callback));
}

const Recipe& Trainer::recipe() const { return state_->recipe; }
int64_t Trainer::step() const { return state_->progress.step; }
Transformer& Trainer::model() { return state_->model; }
Optimizer& Trainer::optimizer() { return state_->optimizer; }

// One optimiser step: all micro-batches of a global batch forward and backward, then AdamW. The step's loss is the
// mean over the valid tokens of the whole global batch, so all micro-batches are read before the first runs.
StepMetrics Trainer::State::take_step(Loader& loader) {
  const auto start = Clock::now();
  const double waited = loader.wait_seconds();
  std::vector<Batch> batches(static_cast<size_t>(recipe.batch.global / recipe.batch.micro));
  double valid = 0;
  for (Batch& batch : batches) {
    loader.next(batch);
    for (const float mask : batch.loss_mask) valid += mask;
  }
  StepMetrics metrics;
  metrics.step = progress.step + 1;
  metrics.data_wait_seconds = loader.wait_seconds() - waited;

  const int64_t tokens = recipe.batch.global * recipe.data.sequence_length;
  at::Tensor loss_sum;  // on the device; read once, at the end
  uint64_t first_token = 0;
  for (const Batch& batch : batches) {
    LayerContext context;
    context.training = true;
    context.recompute = to_recompute(recipe.recompute.mode);
    context.recompute_layers = recipe.recompute.layers;
    context.seed = static_cast<uint64_t>(recipe.trainer.seed);
    context.step = static_cast<uint64_t>(metrics.step);
    context.first_token = first_token;
    first_token += static_cast<uint64_t>(batch.token_count());
    const DeviceBatch on_device = to_device(batch, valid > 0 ? 1.0 / valid : 0.0, device, context);
    const auto result = model.loss(on_device.tokens, on_device.labels, on_device.weights, context,
                                   {.z_loss = recipe.loss.z_loss, .unit_gradient = true});
    result.loss.backward();
    const at::Tensor mean = at::dot(result.token_losses, on_device.weights);
    loss_sum = loss_sum.defined() ? loss_sum.add_(mean) : mean;
  }
  metrics.learning_rate = learning_rate(recipe.optimizer, recipe.schedule, recipe.trainer.max_steps, metrics.step);
  metrics.grad_norm = optimizer.step(metrics.learning_rate);
  metrics.loss = loss_sum.item<double>();
  if (!std::isfinite(metrics.grad_norm)) {
    throw UserError("the gradient of step {} is not finite (loss {}): lower optimizer.lr (now {:.3g}), lengthen "
                    "schedule.warmup_steps, or check the data. The run can go on from its last checkpoint",
                    metrics.step, metrics.loss, metrics.learning_rate);
  }
  progress.step = metrics.step;
  progress.consumed_samples += recipe.batch.global;
  progress.consumed_tokens += tokens;

  metrics.consumed_tokens = progress.consumed_tokens;
  metrics.step_seconds = seconds_since(start);
  metrics.tokens_per_second = static_cast<double>(tokens) / metrics.step_seconds;
  metrics.model_flops_per_second =
      metrics.tokens_per_second * recipe.model.flops_per_token(recipe.data.sequence_length, /*causal=*/true);
  metrics.memory_bytes = peak_memory(device);
  return metrics;
}

Evaluation Trainer::State::evaluate(const std::shared_ptr<const Dataset>& dataset,
                                    const std::function<void(int64_t, int64_t)>& on_progress) {
  const EvaluationPlan plan{.sequence_length = recipe.data.sequence_length,
                            .micro_batch = recipe.batch.micro,
                            .samples = recipe.trainer.eval_steps * recipe.batch.global,
                            .masks = data.masks};
  return longhaul::evaluate(model, dataset, plan, on_progress);
}

std::optional<double> Trainer::evaluate() {
  if (!state_->data.valid) return std::nullopt;
  return state_->evaluate(state_->data.valid).loss;
}

std::string Trainer::save() {
  state_->checkpoints.save(state_->optimizer, state_->progress, /*asynchronous=*/false);
  return state_->checkpoints.last_folder();
}

TrainResult Trainer::run() {
  try {
    return state_->run();
  } catch (const std::exception& error) {
    RunFolder::note(error);
    throw;
  }
}

TrainResult Trainer::State::run() {
  State& s = *this;
  const Recipe& recipe = s.recipe;
  TrainResult result;
  result.first_step = s.progress.step;
  const auto start = Clock::now();
  int64_t tokens_before = s.progress.consumed_tokens;

  const StopSignal stop_signal;
  MetricsLog metrics_log(recipe.trainer.run_dir, s.progress.step);
  ProgressPanel panel(s.progress.step, recipe.trainer.max_steps, recipe.trainer.log_every);
  const auto on_evaluation = [&](int64_t done, int64_t total) {
    panel.note(fmt::format("step {}/{}  evaluating {}/{} sequences", s.progress.step, recipe.trainer.max_steps, done, total));
  };
  if (s.progress.step < recipe.trainer.max_steps) {
    if (s.data.valid && s.progress.step == 0) {
      result.first_valid_loss = s.evaluate(s.data.valid, on_evaluation).loss;
      log::info("before training: validation loss {:.4f}", *result.first_valid_loss);
    }
    Loader loader(s.data.train, {.micro_batch = recipe.batch.micro},
                  {.sequence_length = recipe.data.sequence_length,
                   .masks = s.data.masks,
                   .prefetch = std::max<int64_t>(recipe.data.prefetch, recipe.batch.global / recipe.batch.micro),
                   .batches = std::nullopt},
                  s.progress.consumed_samples);
    double save_seconds = 0;
    while (s.progress.step < recipe.trainer.max_steps && !result.interrupted) {
      StepMetrics metrics = s.take_step(loader);
      metrics.save_seconds = std::exchange(save_seconds, 0.0);
      const bool last = metrics.step == recipe.trainer.max_steps;
      if (s.data.valid && (metrics.step % recipe.trainer.eval_every == 0 || last)) {
        metrics.valid_loss = s.evaluate(s.data.valid, on_evaluation).loss;
        result.last_valid_loss = metrics.valid_loss;
      }
      if (s.data.test && last) metrics.test_loss = s.evaluate(s.data.test, on_evaluation).loss;
      metrics_log.write(metrics);
      panel.update(metrics);
      for (const auto& callback : s.callbacks) callback(metrics);
      result.last = metrics;
      result.interrupted = StopSignal::raised() && !last;
      const auto save_start = Clock::now();
      s.checkpoints.poll();
      if (last || result.interrupted) {
        s.checkpoints.save(s.optimizer, s.progress, /*asynchronous=*/false);
      } else if (recipe.checkpoint.every > 0 && metrics.step % recipe.checkpoint.every == 0) {
        s.checkpoints.save(s.optimizer, s.progress, recipe.checkpoint.async);
      }
      save_seconds = seconds_since(save_start);
    }
  }
  panel.finish();
  if (result.interrupted) {
    log::warning("{} came: saved after step {} and left; the same command goes on from there", StopSignal::name(),
                 s.progress.step);
  }
  result.steps = s.progress.step;
  result.checkpoint = s.checkpoints.last_folder();
  result.seconds = seconds_since(start);
  result.mean_tokens_per_second =
      static_cast<double>(s.progress.consumed_tokens - tokens_before) / std::max(result.seconds, 1e-9);
  return result;
}

}  // namespace longhaul
