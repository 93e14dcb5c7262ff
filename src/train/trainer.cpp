#include "longhaul/train/trainer.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <chrono>
#include <cmath>
#include <utility>

#include "longhaul/comm/exchange.h"
#include "longhaul/comm/time_spent.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/log.h"
#include "longhaul/data/loader.h"
#include "longhaul/ops/host_memory.h"
#include "longhaul/optim/learning_rate.h"
#include "longhaul/recipes/batch_rampup.h"
#include "longhaul/recipes/load.h"
#include "longhaul/train/device.h"
#include "longhaul/train/evaluator.h"
#include "train/device_ranks.h"
#include "train/global_step.h"
#include "train/memory.h"
#include "train/metrics_log.h"
#include "train/model_source.h"
#include "train/parallel_layout.h"
#include "train/progress_panel.h"
#include "train/read_report.h"
#include "train/run_checkpoints.h"
#include "train/run_data.h"
#include "train/run_folder.h"
#include "train/stop_signal.h"

namespace longhaul {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

c10::ScalarType training_type(const Recipe& recipe) {
  return recipe.trainer.precision == Precision::bf16 ? at::kBFloat16 : at::kFloat;
}

// What every rank makes alike before any talks to another; where one fails, all do, and the user reads it once.
template <typename Make>
auto on_all(comm::Communicator* world, Make make) {
  std::optional<decltype(make())> made;
  comm::all_or_none(world, [&] { made.emplace(make()); });
  return std::move(*made);
}

ModelSource source_of(const Recipe& recipe, comm::Communicator* world) {
  return on_all(world, [&] {
    const int64_t ranks = world != nullptr ? world->size() : 1;
    ModelSource source(recipe, ranks);
    require_layout(source.recipe(), ranks);
    return source;
  });
}

}  // namespace

struct Trainer::State {
  State(const Recipe& wanted, RunFolder& folder, comm::Communicator* world)
      : source(source_of(wanted, world)),
        recipe(source.recipe()),
        device(resolve_device(recipe.trainer.device, rank_on_this_machine(world))),
        tensors(world, device, std::chrono::seconds(recipe.parallel.timeout)),
        layout(recipe, world, tensors.get()),
        resumed(find_resumed(recipe, layout.world())),
        progress(progress_of(resumed)),
        data(on_all(world, [&] { return open_run_data(recipe, source.side_car(), progress); })),
        model(recipe.model, layout.store_options(training_type(recipe), device), decoder_layer_spec(), layout.stages()),
        optimizer(model.parameters(), recipe.optimizer, layout.optimizer_ranks(recipe.model.tied_embeddings)),
        checkpoints(folder.make(), recipe, source.side_car(), data.train->order_id(), layout.world()) {
    fill();
    if (layout.leads()) write_text(folder.make() / "config.json", full_recipe_text(recipe));
  }

  ModelSource source;
  const Recipe recipe;  // resolved
  const c10::Device device;
  const DeviceRanks tensors;
  const ParallelLayout layout;
  std::optional<CheckpointReader> resumed;  // until the optimiser is filled
  RunProgress progress;
  RunData data;
  Transformer model;
  Optimizer optimizer;
  RunCheckpoints checkpoints;
  std::vector<std::function<void(const StepMetrics&)>> callbacks;

  // Of a global batch of so many samples, each data-parallel rank's.
  int64_t micro_batches(int64_t samples) const { return samples / (recipe.batch.micro * layout.data_ranks()); }
  void fill();
  StepMetrics take_step(Loader& loader);
  Evaluation evaluate(const std::shared_ptr<const Dataset>& dataset,
                      const std::function<void(int64_t, int64_t)>& on_progress = {});
  TrainResult run();
};

Trainer::Trainer(const Recipe& recipe, comm::Communicator* world) {
  log::leave_to_others(!comm::leads(world));
  ops::keep_host_memory();
  if (recipe.trainer.threads > 0) at::set_num_threads(static_cast<int>(recipe.trainer.threads));
  if (recipe.trainer.deterministic) at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
  folder_ = std::make_unique<RunFolder>(run_folder(recipe), comm::leads(world));
  try {
    state_ = std::make_unique<State>(recipe, *folder_, world);
  } catch (const std::exception& error) {
    RunFolder::note(error);
    throw;
  }
}

Trainer::~Trainer() = default;

// Masters and moments, from where the run stands.
void Trainer::State::fill() {
  int64_t held = 0;
  for (const Parameter& p : model.parameters().parameters()) held += p.value.numel();
  if (resumed) {
    checkpoints.load(*resumed, optimizer);
    log::info("resuming {} after step {} ({} samples)", recipe.trainer.run_dir, progress.step,
              progress.consumed_samples);
    report_reading(layout.world(), resumed->path().string(), held, resumed->bytes_read());
    resumed.reset();
  } else {
    int64_t bytes = 0;
    const WeightReader weights = source.weights();
    optimizer.fill([&](std::vector<Parameter>& parameters) { bytes += weights(parameters); });
    if (!recipe.model.from.empty()) report_reading(layout.world(), recipe.model.from, held, bytes);
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
  const auto communicated = comm::time_spent();
  const int64_t samples = global_batch_at(recipe.batch, progress.consumed_samples);
  std::vector<Batch> batches(micro_batches(samples));
  for (Batch& batch : batches) loader.next(batch);
  StepMetrics metrics;
  metrics.step = progress.step + 1;
  metrics.data_wait_seconds = loader.wait_seconds() - waited;

  const int64_t tokens = samples * recipe.data.sequence_length;
  metrics.loss = run_global_step(model, layout, recipe, metrics.step, batches);
  metrics.learning_rate = learning_rate(recipe.optimizer, recipe.schedule, recipe.trainer.max_steps, metrics.step);
  metrics.grad_norm = optimizer.step(metrics.learning_rate);
  if (!std::isfinite(metrics.grad_norm)) {
    throw UserError("the gradient of step {} is not finite (loss {}): lower optimizer.lr (now {:.3g}), lengthen "
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
  metrics.memory_bytes = peak_memory(device);
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
  std::optional<MetricsLog> metrics_log;
  std::optional<ProgressPanel> panel;
  if (s.layout.leads()) {
    metrics_log.emplace(recipe.trainer.run_dir, s.progress.step);
    panel.emplace(s.progress.step, recipe.trainer.max_steps, recipe.trainer.log_every);
  }
  const auto on_evaluation = [&](int64_t done, int64_t total) {
    if (panel) panel->note(fmt::format("step {}/{}  evaluating {}/{} sequences", s.progress.step, recipe.trainer.max_steps, done, total));
  };
  if (s.progress.step < recipe.trainer.max_steps) {
    if (s.data.valid && s.progress.step == 0) {
      result.first_valid_loss = s.evaluate(s.data.valid, on_evaluation).loss;
      log::info("before training: validation loss {:.4f}", *result.first_valid_loss);
    }
    Loader loader(s.data.train,
                  {.micro_batch = recipe.batch.micro, .ranks = s.layout.data_ranks(), .rank = s.layout.data_rank()},
                  {.sequence_length = recipe.data.sequence_length,
                   .masks = s.data.masks,
                   .prefetch = std::max(recipe.data.prefetch, s.micro_batches(recipe.batch.global)),
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
      if (metrics_log) metrics_log->write(metrics);
      if (panel) panel->update(metrics);
      for (const auto& callback : s.callbacks) callback(metrics);
      result.last = metrics;
      result.interrupted = comm::any_of(s.layout.world(), StopSignal::raised()) && !last;
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
  s.optimizer.wait_for_values();
  if (panel) panel->finish();
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
