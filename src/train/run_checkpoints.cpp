#include "train/run_checkpoints.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "longhaul/comm/exchange.h"
#include "longhaul/core/config/json.h"
#include "longhaul/core/error.h"
#include "longhaul/core/json_text.h"
#include "longhaul/core/log.h"

namespace longhaul {
namespace {

constexpr const char* kFirstMoments = "optimizer.exp_avg/";
constexpr const char* kSecondMoments = "optimizer.exp_avg_sq/";
// In the checkpoint's state.
constexpr const char* kDataOrder = "data_order";
constexpr const char* kOptimizerSteps = "optimizer_steps";  // that the moments have seen

// A run goes on with the model it began with; what else the recipe changes (steps, rates, batch) takes effect.
void check_same_model(const Recipe& recipe, const CheckpointReader& reader) {
  ModelConfig saved;
  read_config(saved, reader.config().at("model"), reader.path().string());
  const bool from_forgotten = recipe.model.from.empty() && !saved.from.empty();
  const std::string way_out =
      from_forgotten ? fmt::format("Add model.from={}, as the run had it", saved.from) : "Go on with the same model";
  saved.from = recipe.model.from;
  const auto changes = write_changes(fields<ModelConfig>(), &recipe.model, &saved);
  for (const auto& [key, value] : changes.items()) {
    if (key.ends_with("dropout") || key.starts_with("init") || key == "scaled_init" || key == "vocab_multiple")
      continue;
    throw UserError(
        "the run {} was started with another model: model.{} is now {}. {}, or choose another trainer.run_dir",
        recipe.trainer.run_dir, key, lenient_json_text(value), way_out);
  }
}

// "KEY was A, is B" for each of the keys whose values differ.
void add_changes(std::vector<std::string>& changes, const std::string& key, const nlohmann::ordered_json& was,
                 const nlohmann::ordered_json& is) {
  if (was != is) changes.push_back(fmt::format("{} was {}, is {}", key, lenient_json_text(was), lenient_json_text(is)));
}

// Rates, schedule, batch and the like take effect at once when a run goes on: its log tells.
void tell_changes(const Recipe& recipe, const CheckpointReader& resumed) {
  // As it stands there, which another release may have written.
  const nlohmann::ordered_json was = resumed.config(), is = write_json(fields<Recipe>(), &recipe);
  std::vector<std::string> changes;
  const auto compare = [&](const std::string& section, const std::string& key) {
    const auto before = was.find(section);
    if (before != was.end() && before->contains(key))
      add_changes(changes, fmt::format("{}.{}", section, key), before->at(key), is.at(section).at(key));
  };
  for (const char* const section : {"batch", "optimizer", "schedule", "loss"}) {
    for (const auto& [key, value] : is.at(section).items()) compare(section, key);
  }
  for (const char* const key : {"max_steps", "precision", "seed"}) compare("trainer", key);
  if (!changes.empty())
    log::info("since step {} of {}: {}", resumed.step(), recipe.trainer.run_dir, fmt::join(changes, "; "));
}

// The settings that decide in which order data is read, where they are others than the checkpoint's run had.
std::string what_changed_the_order(const Recipe& recipe, const CheckpointReader& resumed) {
  const Recipe before = recipe_of(resumed);
  std::vector<std::string> changes;
  const auto compare = [&](const std::string& key, const nlohmann::ordered_json& was,
                           const nlohmann::ordered_json& is) { add_changes(changes, key, was, is); };
  const auto was = write_json(fields<DataConfig>(), &before.data), is = write_json(fields<DataConfig>(), &recipe.data);
  for (const char* const key : {"train", "replay", "replay_fraction", "split", "seed", "sequence_length", "fim",
                                "stable_order", "sampler", "sampler_sharding", "mock"}) {
    compare(fmt::format("data.{}", key), was.at(key), is.at(key));
  }
  compare("batch.global", before.batch.global, recipe.batch.global);
  compare("trainer.max_steps", before.trainer.max_steps, recipe.trainer.max_steps);
  if (recipe.data.sampler != SamplerKind::sequential) compare("batch.micro", before.batch.micro, recipe.batch.micro);
  if (!changes.empty()) return fmt::format("{}; or the files are others", fmt::join(changes, "; "));
  return recipe.data.sampler == SamplerKind::sequential
             ? "no setting did: the files are others"
             : "no setting did: the files are others, or the data-parallel ranks";
}

}  // namespace

Recipe recipe_of(const CheckpointReader& checkpoint) {
  Recipe recipe;
  read_config(recipe, checkpoint.config(), (checkpoint.path() / "manifest.json").string());
  return recipe;
}

std::optional<CheckpointReader> find_resumed(const Recipe& recipe, comm::Communicator* ranks) {
  // The first rank looks and verifies; the others open what it found, and check what they read.
  std::optional<CheckpointReader> resumed;
  comm::all_or_none(ranks, [&] {
    if (!comm::leads(ranks)) return;
    resumed = find_latest(recipe.trainer.run_dir);
    if (!resumed) return;
    if (!resumed->state().is_object())
      throw UserError(
          "{} holds a model and nothing of a run, as `llm-pretrain import` makes it: start one from it with model.from={} "
          "and another trainer.run_dir",
          resumed->path().string(), resumed->path().string());
    check_same_model(recipe, *resumed);
    tell_changes(recipe, *resumed);
  });
  const std::string path = comm::text_of_leader(ranks, resumed ? resumed->path().string() : "");
  if (!comm::leads(ranks) && !path.empty()) resumed.emplace(path);
  return resumed;
}

RunProgress progress_of(const std::optional<CheckpointReader>& resumed) {
  if (!resumed) return {};
  return {resumed->step(), resumed->consumed_samples(), resumed->consumed_tokens()};
}

RunCheckpoints::RunCheckpoints(const std::filesystem::path& run_folder, const Recipe& recipe, const HfSideCar& side_car,
                               std::string data_order, comm::Communicator* ranks)
    : recipe_(recipe),
      side_car_(side_car),
      data_order_(std::move(data_order)),
      writer_(run_folder, {.keep_last = static_cast<int>(recipe.checkpoint.keep_last),
                           .keep_every = recipe.checkpoint.keep_every,
                           .ranks = ranks}) {}

void RunCheckpoints::load(const CheckpointReader& resumed, Optimizer& optimizer) {
  const std::string order = resumed.state().value(kDataOrder, data_order_);
  if (order != data_order_) {
    log::warning(
        "the training data or its order changed since {} was saved ({}): the run goes on at sample {} of the new order",
        resumed.path().string(), what_changed_the_order(recipe_, resumed), resumed.consumed_samples());
  }
  for (const Optimizer::Piece& piece : optimizer.pieces(PieceChoice::all)) {
    const auto read = [&](const char* group, const at::Tensor& into) {
      resumed.read_slice(group + piece.name, piece.offsets, into);
    };
    read(kModelGroup, piece.master);
    if (!recipe_.checkpoint.load_optimizer) continue;
    read(kFirstMoments, piece.moment1);
    read(kSecondMoments, piece.moment2);
  }
  if (recipe_.checkpoint.load_optimizer) {
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
  for (const Optimizer::Piece& piece : optimizer.pieces(PieceChoice::owned)) {
    const auto add = [&](const char* group, const at::Tensor& value) {
      content.tensors.push_back({group + piece.name, value, piece.global_shape, piece.offsets});
    };
    add(kModelGroup, piece.master);
    add(kFirstMoments, piece.moment1);
    add(kSecondMoments, piece.moment2);
  }
  if (asynchronous) {
    writer_.save_async(std::move(content));
  } else {
    writer_.save(content);
  }
  last_folder_ = fmt::format("{}/checkpoints/step_{:08}", recipe_.trainer.run_dir, progress.step);
}

}  // namespace longhaul
