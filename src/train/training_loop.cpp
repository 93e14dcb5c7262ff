// The training loop: steps, evaluations, checkpoints, and what is told of them.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <utility>

#include "longhaul/comm/exchange.h"
#include "longhaul/comm/time_spent.h"
#include "longhaul/core/error.h"
#include "longhaul/core/log.h"
#include "longhaul/ops/device.h"
#include "longhaul/optim/learning_rate.h"
#include "train/memory.h"
#include "train/memory_report.h"
#include "train/metrics_log.h"
#include "train/progress_panel.h"
#include "train/stop_signal.h"
#include "train/trainer_state.h"

namespace longhaul {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

// One optimiser step: all micro-batches of a global batch forward and backward, then AdamW. The step's loss is the
// mean over the valid tokens of the whole global batch, so all micro-batches are read before the first runs.
StepMetrics Trainer::State::take_step(Loader& loader) {
  profiler.begin_step(progress.step + 1);
  const auto start = Clock::now();
  const double waited = loader.wait_seconds();
  const auto communicated = comm::time_spent();
  const int64_t samples = batches_of_run.global_at(progress.consumed_samples);
  std::vector<Batch> batches(micro_batches(samples));
  for (Batch& batch : batches) loader.next(batch);
  StepMetrics metrics;
  metrics.step = progress.step + 1;
  metrics.data_wait_seconds = loader.wait_seconds() - waited;

  const int64_t tokens = samples * recipe.data.sequence_length;
  // The loss is on its way to the host while the rest of the step is queued. Nothing waits for the device but the
  // reading of the gradient's norm, at the end.
  const at::Tensor loss = global_step.run(metrics.step, batches);
  auto loss_copy = copies.to_host(loss, loss_on_host);
  metrics.learning_rate = learning_rate(recipe.optimizer, recipe.schedule, recipe.trainer.max_steps, metrics.step);
  metrics.grad_norm = optimizer.step(metrics.learning_rate);
  loss_copy.wait();
  metrics.loss = loss_on_host.item<double>();
  ops::throw_device_faults();
  if (!std::isfinite(metrics.loss) && progress.step == 0 && !recipe.model.from.empty()) {
    throw UserError(
        "the loss is not finite before the first update: the weights of {} may hold numbers that are not finite (`llm-pretrain inspect {}` "
        "tells), or the data ids that it can't use",
        recipe.model.from, recipe.model.from);
  }
  if (!std::isfinite(metrics.grad_norm)) {
    throw UserError(
        "the gradient of step {} is not finite (loss {}): lower optimizer.lr (now {:.3g}), lengthen "
        "schedule.warmup_steps, or check the data. The run can go on from its last checkpoint",
        metrics.step, metrics.loss, metrics.learning_rate);
  }
  progress.step = metrics.step;
  progress.consumed_samples += samples;
  progress.consumed_tokens += tokens;

  metrics.consumed_tokens = progress.consumed_tokens;
  metrics.step_seconds = seconds_since(start);
  metrics.communication_seconds = std::chrono::duration<double>(comm::time_spent() - communicated).count();
  metrics.tokens_per_second = static_cast<double>(tokens) / metrics.step_seconds;
  metrics.model_flops_per_second =
      metrics.tokens_per_second * recipe.model.flops_per_token(recipe.data.sequence_length, /*causal=*/true);
  metrics.memory_bytes = peak_memory(device) + layout.registered_bytes();
  profiler.end_step(metrics.step);
  return metrics;
}

Evaluation Trainer::State::evaluate(const std::shared_ptr<const Dataset>& dataset,
                                    const std::function<void(int64_t, int64_t)>& on_progress) {
  const EvaluationPlan plan{.sequence_length = recipe.data.sequence_length,
                            .micro_batch = recipe.batch.micro,
                            .samples = recipe.trainer.eval_steps * recipe.batch.global,
                            .masks = data.masks};
  return longhaul::evaluate(model, dataset, plan, on_progress, {layout.data(), layout.pipeline()});
}

TrainResult Trainer::State::run() {
  TrainResult result;
  result.first_step = progress.step;
  const auto start = Clock::now();
  int64_t tokens_before = progress.consumed_tokens;

  const StopSignal stop_signal(/*tell=*/layout.leads());
  std::optional<MetricsLog> metrics_log;
  std::optional<ProgressPanel> panel;
  if (layout.leads()) {
    metrics_log.emplace(recipe.trainer.run_dir, progress.step);
    panel.emplace(progress.step, recipe.trainer.max_steps, recipe.trainer.log_every);
  }
  const auto on_evaluation = [&](int64_t done, int64_t total) {
    if (panel)
      panel->note(
          fmt::format("step {}/{}  evaluating {}/{} sequences", progress.step, recipe.trainer.max_steps, done, total));
  };
  if (progress.step < recipe.trainer.max_steps) {
    if (data.valid && progress.step == 0) {
      result.first_valid_loss = evaluate(data.valid, on_evaluation).loss;
      log::info("before training: validation loss {:.4f}", *result.first_valid_loss);
    }
    Loader loader(data.train, sampler_options(),
                  {.rank = layout.data_rank(),
                   .sequence_length = recipe.data.sequence_length,
                   .masks = data.masks,
                   .prefetch = std::max(recipe.data.prefetch, micro_batches(recipe.batch.global)),
                   .batches = std::nullopt},
                  progress.consumed_samples);
    const MemoryReport memory(recipe, layout, hosts, device);
    double save_seconds = 0;
    while (progress.step < recipe.trainer.max_steps && !result.interrupted) {
      StepMetrics metrics = take_step(loader);
      metrics.save_seconds = std::exchange(save_seconds, 0.0);
      const bool last = metrics.step == recipe.trainer.max_steps;
      if (metrics.step == result.first_step + 1 && !last) memory.first_step_done();
      if (data.valid && (metrics.step % recipe.trainer.eval_every == 0 || last)) {
        metrics.valid_loss = evaluate(data.valid, on_evaluation).loss;
        result.last_valid_loss = metrics.valid_loss;
      }
      if (data.test && last) metrics.test_loss = evaluate(data.test, on_evaluation).loss;
      if (metrics_log) metrics_log->write(metrics);
      if (panel) panel->update(metrics);
      for (const auto& callback : callbacks) callback(metrics);
      result.last = metrics;
      result.interrupted = comm::any_of(layout.world(), StopSignal::raised()) && !last;
      const auto save_start = Clock::now();
      checkpoints.poll();
      if (last || result.interrupted) {
        checkpoints.save(optimizer, progress, /*asynchronous=*/false);
      } else if (recipe.checkpoint.every > 0 && metrics.step % recipe.checkpoint.every == 0) {
        checkpoints.save(optimizer, progress, recipe.checkpoint.async);
      }
      save_seconds = seconds_since(save_start);
    }
    memory.finish();
  }
  optimizer.wait_for_values();
  profiler.finish();
  if (panel) panel->finish();
  if (result.interrupted) {
    log::warning("{} came: saved after step {} and left; the same command goes on from there", StopSignal::name(),
                 progress.step);
  }
  result.steps = progress.step;
  result.checkpoint = checkpoints.last_folder();
  result.seconds = seconds_since(start);
  result.mean_tokens_per_second =
      static_cast<double>(progress.consumed_tokens - tokens_before) / std::max(result.seconds, 1e-9);
  return result;
}

}  // namespace longhaul
