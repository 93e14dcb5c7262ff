// llm-pretrain pretrain: a recipe becomes a run.
#include <ATen/Parallel.h>
#include <fmt/core.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <memory>

#include "cli/commands.h"
#include "cli/other_work.h"
#include "cli/system_info.h"
#include "longhaul/comm/error.h"
#include "longhaul/comm/exchange.h"
#include "longhaul/comm/rendezvous.h"
#include "longhaul/core/log.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
#include "longhaul/recipes/load.h"
#include "longhaul/train/given_model_keys.h"
#include "longhaul/train/trainer.h"

namespace longhaul::cli {
namespace {

// Quoted where a shell would cut it.
std::string shell_word(const std::string& path) {
  const bool plain =
      path.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:,@%") ==
      std::string::npos;
  if (plain) return path;
  std::string quoted = "'";
  for (const char c : path) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

void print_summary(const Trainer& trainer, const TrainResult& result) {
  const Recipe& recipe = trainer.recipe();
  TextTable table;
  table.align(1, TextTable::Align::right);
  table.add({"steps", result.first_step > 0 ? fmt::format("{} … {}", result.first_step + 1, result.steps)
                                            : fmt::format("{}", result.steps)});
  table.add({"tokens", group_digits(result.last.consumed_tokens)});
  table.add({"loss of the last step", fmt::format("{:.4f}", result.last.loss)});
  if (result.first_valid_loss) table.add({"validation loss before", fmt::format("{:.4f}", *result.first_valid_loss)});
  if (result.last_valid_loss) table.add({"validation loss after", fmt::format("{:.4f}", *result.last_valid_loss)});
  if (result.last.test_loss) table.add({"test loss", fmt::format("{:.4f}", *result.last.test_loss)});
  table.add({"tokens a second", group_digits(static_cast<int64_t>(result.mean_tokens_per_second))});
  table.add({"time", format_duration(result.seconds)});
  table.add({"peak memory", format_bytes(static_cast<double>(result.last.memory_bytes))});
  fmt::print("\n{}", table.str());
  fmt::print("run folder   {}\n", recipe.trainer.run_dir);
  fmt::print("checkpoint   {}\n", result.checkpoint);
  fmt::print("next         llm-pretrain export --checkpoint {} --output OUT_HF_DIR\n", shell_word(result.checkpoint));
}

// Ranks whose launcher gives them no share of their machine's cores would each take all of them.
void share_cores(const comm::World& world) {
  if (world.hosts.local_ranks() == 1 || std::getenv("OMP_NUM_THREADS") != nullptr) return;
  const auto share = static_cast<int>(::sysconf(_SC_NPROCESSORS_ONLN)) / world.hosts.local_ranks();
  const int threads = std::max(1, std::min(at::get_num_threads(), share));
  at::set_num_threads(threads);
  log::info("{} ranks share this machine, with {} thread{} each; OMP_NUM_THREADS gives them another number",
            world.hosts.local_ranks(), threads, threads == 1 ? "" : "s");
}

// Threads beyond the processors wait for one another.
void tell_too_many_threads(int64_t threads, int64_t ranks) {
  const CpuInfo cpu = cpu_info();
  // A control group's limit holds for all ranks together, a binding for one.
  const int64_t processors = ::sysconf(_SC_NPROCESSORS_ONLN);
  const int64_t machine = cpu.quota > 0 ? std::min(processors, static_cast<int64_t>(std::ceil(cpu.quota))) : processors;
  const int64_t mine = std::min(cpu.cores, machine);
  if (threads > mine) {
    log::warning("trainer.threads is {}, but this process may use {} processors: its threads will wait for one another",
                 threads, mine);
  } else if (threads * ranks > machine) {
    log::warning(
        "trainer.threads is {} for each of {} ranks on this machine, which has {} processors: they will wait for one another",
        threads, ranks, machine);
  }
}

// "tensor 2 × pipeline 2 × data 2, parallel.sharding=optimizer"
std::string layout_words(const ParallelConfig& layout, int64_t ranks) {
  std::vector<std::string> axes;
  const auto axis = [&](const char* axis_name, int64_t size) {
    if (size > 1) axes.push_back(fmt::format("{} {}", axis_name, size));
  };
  axis("tensor", layout.tensor);
  axis("context", layout.context);
  axis("pipeline", layout.pipeline);
  axis("data", ranks / layout.model_ranks());
  std::string words = fmt::format("{}", fmt::join(axes, " × "));
  if (layout.sequence) words += ", sequence parallel";
  if (layout.virtual_pipeline > 1) words += fmt::format(", {} virtual stages", layout.virtual_pipeline);
  if (layout.sharding != Sharding::none) words += fmt::format(", parallel.sharding={}", name_of(layout.sharding));
  return words;
}

// Over TCP every rank may have a terminal of its own: rank 0's tells, too, what another one reports.
void tell_agreed_failure(const comm::World& world, const std::function<void()>& body) {
  try {
    body();
  } catch (const comm::AgreedFailure& failure) {
    if (world.backend == "tcp" && world.communicator->rank() == 0) fmt::print(stderr, "error: {}\n", failure.what());
    throw;
  }
}

void train(const std::string& name, const std::vector<std::string>& overrides, const comm::World& world) {
  share_cores(world);
  const bool alone = world.communicator->size() == 1, leads = world.communicator->rank() == 0;
  Recipe wanted;
  comm::all_or_none(world.communicator.get(), [&] {
    wanted = load_recipe(name, overrides, world.communicator->size());
    refuse_ignored_model_keys(wanted.model, model_keys_given_with_from(name, overrides));
  });
  if (leads && wanted.trainer.threads > 0) tell_too_many_threads(wanted.trainer.threads, world.hosts.local_ranks());
  Trainer trainer(wanted, alone ? nullptr : world.communicator.get(), world.hosts);
  const Recipe& recipe = trainer.recipe();
  if (alone && recipe.trainer.threads == 0 && trainer.model().parameters().options().device.is_cpu()) {
    tell_of_other_work(at::get_num_threads(), "trainer.threads=");
  }
  if (!names_a_model(name, overrides)) {
    log::warning(
        "{} has no \"model\" section: this trains a model of default sizes from random weights. To go on from a Hugging Face "
        "checkpoint add model.from=HF_DIR",
        name);
  }
  if (std::ranges::find(overrides, "model.from=") != overrides.end())
    log::warning("model.from= names nothing, so the model starts from random weights: is a variable empty?");
  log::info("{}: {} parameters, {}, {} sequences of {} tokens a step, {} steps{}", recipe.name,
            group_digits(recipe.model.parameter_count()),
            recipe.model.from.empty() ? "random at the start (no model.from)" : "from " + recipe.model.from,
            recipe.batch.global, recipe.data.sequence_length, recipe.trainer.max_steps,
            alone ? ""
                  : fmt::format(", {} ranks over {}: {}", world.communicator->size(), world.backend,
                                layout_words(recipe.parallel, world.communicator->size())));
  if (trainer.step() >= recipe.trainer.max_steps) {
    if (leads) {
      fmt::print(
          "{} is at step {} of {} already: raise trainer.max_steps to train on, or choose another trainer.run_dir\n",
          recipe.trainer.run_dir, trainer.step(), recipe.trainer.max_steps);
    }
    return;
  }
  const TrainResult result = trainer.run();
  if (leads) print_summary(trainer, result);
}

void pretrain(const std::string& name, const std::vector<std::string>& overrides) {
  comm::run_in_world({},
                     [&](comm::World& world) { tell_agreed_failure(world, [&] { train(name, overrides, world); }); });
}

}  // namespace

void add_pretrain_command(const Command& app) {
  struct Options {
    std::string recipe;
    std::vector<std::string> overrides;
  };
  auto options = std::make_shared<Options>();
  const Command command =
      app.subcommand("pretrain", "Train a model: from scratch, or on from a Hugging Face checkpoint");
  command.option("RECIPE", options->recipe, "a recipe's name or a .json file").required();
  command.option("OVERRIDES", options->overrides, "KEY=VALUE: settings that differ from the recipe's");
  command.examples(
      "Examples:\n"
      "  llm-pretrain pretrain llama_tiny data.mock=true\n"
      "  llm-pretrain pretrain recipe.json model.from=HF_DIR data.train=data/corpus_text_document trainer.max_steps=500\n"
      "  llm-pretrain launch local --ranks 4 -- pretrain llama_tiny parallel.tensor=2   (or mpirun, srun)\n"
      "A run folder that has checkpoints is resumed, in whatever layout. SIGTERM and SIGINT save and end the run in order.\n"
      "docs/configuration.md lists all keys; `llm-pretrain recipes list` the recipes.");
  command.run([options] { pretrain(options->recipe, options->overrides); });
}

}  // namespace longhaul::cli
