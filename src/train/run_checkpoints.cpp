#include "train/run_checkpoints.h"

#include <fmt/format.h>

#include "longhaul/core/config/json.h"
#include "longhaul/core/error.h"
#include "longhaul/core/log.h"

namespace longhaul {
namespace {

constexpr const char* kFirstMoments = "optimizer.exp_avg/";
constexpr const char* kSecondMoments = "optimizer.exp_avg_sq/";
// In the checkpoint's state.
constexpr const char* kDataOrder = "data_order";
constexpr const char* kOptimizerSteps = "optimizer_steps";  // that the moments have seen

// A parameter without the rows that pad its vocabulary.
at::Tensor true_rows(const Parameter& p) { return p.value.detach().narrow(0, 0, p.shard.global_shape[0]); }

// A run goes on with the model it began with; what else the recipe changes (steps, rates, batch) takes effect.
void check_same_model(const Recipe& recipe, const CheckpointReader& reader) {
  ModelConfig saved;
  read_config(saved, reader.config().at("model"), reader.path().string());
  saved.from = recipe.model.from;
  const auto changes = write_changes(fields<ModelConfig>(), &recipe.model, &saved);
  for (const auto& [key, value] : changes.items()) {
    if (key.ends_with("dropout") || key.starts_with("init") || key == "scaled_init" || key == "vocab_multiple") continue;
    throw UserError("the run {} was started with another model: model.{} is now {}. Go on with the same model, or choose "
                    "another trainer.run_dir",
                    recipe.trainer.run_dir, key, value.dump());
  }
}

}  // namespace

std::optional<CheckpointReader> find_resumed(const Recipe& recipe) {
  auto resumed = find_latest(recipe.trainer.run_dir);
  if (resumed) check_same_model(recipe, *resumed);
  return resumed;
}

RunProgress progress_of(const std::optional<CheckpointReader>& resumed) {
  if (!resumed) return {};
  return {resumed->step(), resumed->consumed_samples(), resumed->consumed_tokens()};
}

RunCheckpoints::RunCheckpoints(const std::filesystem::path& run_folder, const Recipe& recipe,
                               const HfSideCar& side_car, std::string data_order)
    : recipe_(recipe),
      side_car_(side_car),
      data_order_(std::move(data_order)),
      writer_(run_folder,
              {.keep_last = static_cast<int>(recipe.checkpoint.keep_last), .keep_every = recipe.checkpoint.keep_every}) {}

void RunCheckpoints::load(const CheckpointReader& resumed, Optimizer& optimizer) {
  const std::string order = resumed.state().value(kDataOrder, data_order_);
  if (order != data_order_) {
    log::warning("the training data or its order changed since {} was saved (the files, data.split, data.seed, "
                 "data.sequence_length, or the number of epochs): the run goes on at sample {} of the new order",
                 resumed.path().string(), resumed.consumed_samples());
  }
  const auto fill = [&](const char* group, const std::vector<Parameter>& parameters) {
    for (const Parameter& p : parameters) resumed.read_into(group + p.name, p.value.detach());
  };
  fill(kModelGroup, optimizer.masters());
  if (recipe_.checkpoint.load_optimizer) {
    fill(kFirstMoments, optimizer.moments1());
    fill(kSecondMoments, optimizer.moments2());
    optimizer.set_steps_taken(resumed.state().value(kOptimizerSteps, resumed.step()));
  }
  last_folder_ = resumed.path().string();
}

void RunCheckpoints::save(const Optimizer& optimizer, const RunProgress& progress, bool asynchronous) {
  CheckpointContent content;
  content.step = progress.step;
  content.consumed_samples = progress.consumed_samples;
  content.consumed_tokens = progress.consumed_tokens;
  content.config = write_json(fields<Recipe>(), &recipe_);
  content.state = {{kDataOrder, data_order_}, {kOptimizerSteps, optimizer.steps_taken()}};
  content.hf = side_car_;
  const auto add = [&](const char* group, const std::vector<Parameter>& parameters) {
    for (const Parameter& p : parameters) content.tensors.push_back({group + p.name, true_rows(p), {}, {}});
  };
  add(kModelGroup, optimizer.masters());
  add(kFirstMoments, optimizer.moments1());
  add(kSecondMoments, optimizer.moments2());
  if (asynchronous) {
    writer_.save_async(std::move(content));
  } else {
    writer_.save(content);
  }
  last_folder_ = fmt::format("{}/checkpoints/step_{:08}", recipe_.trainer.run_dir, progress.step);
}

}  // namespace longhaul
