#include "longhaul/train/trainer.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <utility>

#include "longhaul/comm/exchange.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/json_text.h"
#include "longhaul/core/log.h"
#include "longhaul/model/family.h"
#include "longhaul/ops/host_memory.h"
#include "longhaul/recipes/load.h"
#include "longhaul/train/device.h"
#include "train/environment.h"
#include "train/gpu_driver.h"
#include "train/network_cards.h"
#include "train/numa.h"
#include "train/read_report.h"
#include "train/same_run.h"
#include "train/trainer_state.h"

namespace longhaul {
namespace {

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
  // One rank reads the checkpoint to verify it. Where model.from lies is each rank's own.
  std::string instead;
  comm::all_or_none(world, [&] {
    if (comm::leads(world)) instead = checkpoint_instead_of_model(recipe).string();
  });
  instead = comm::text_of_leader(world, instead);
  ModelSource made = on_all(world, [&] {
    const int64_t ranks = world != nullptr ? world->size() : 1;
    ModelSource source(recipe, ranks, instead);
    require_layout(source.recipe(), ranks);
    return source;
  });
  require_same_settings(made.recipe(), world);
  return made;
}

// How long a rank looks for the run folder: less than the others wait for it.
std::chrono::milliseconds patience(const ParallelConfig& parallel) {
  constexpr std::chrono::seconds kLongest(40);  // what a network file system may remember of a folder
  if (parallel.timeout == 0) return kLongest;
  return std::min<std::chrono::milliseconds>(kLongest, std::chrono::milliseconds(parallel.timeout * 500));
}

// The order of the training samples, by name; the same on all ranks.
std::string order_of(const SamplerOptions& sampler, const Dataset& train, comm::Communicator* world) {
  const std::string order = Sampler(sampler, train.size()).order_id(train.order_id());
  require_same_order(order, world);
  return order;
}

// A GPU's process stays on the processors beside it, before it takes memory.
c10::Device near_its_node(c10::Device device) {
  if (!device.is_cuda()) return device;
  const std::string bus = pci_bus_id(device.index());
  if (const auto node = numa_node_of(bus)) {
    if (const int processors = stay_on_node(*node); processors > 0) {
      log::info("{} ({}) is on NUMA node {}: staying on its {} processors", device.str(), bus, *node, processors);
      if (at::get_num_threads() > processors) {
        log::info("{} threads would share them: {} are used", at::get_num_threads(), processors);
        at::set_num_threads(processors);
      }
    } else {
      log::warning_here(
          "{} ({}) is on NUMA node {}, of whose processors this process may use none: it stays where it is. Start it "
          "without binding it elsewhere",
          device.str(), bus, *node);
    }
  }
  if (const auto cards = nearest_of(cards_near(bus)); !cards.empty()) {
    std::vector<std::string> names;
    for (const NetworkCard& card : cards) names.push_back(card.name);
    log::info("{} ({}): the nearest network cards are {}, with which it shares {}", device.str(), bus,
              fmt::join(names, ", "), name_of(cards.front().distance));
  }
  return device;
}

StepProfiler::Plan profile_plan(const Recipe& recipe, const ParallelLayout& layout, c10::Device device, int64_t step) {
  StepProfiler::Plan plan;
  if (!recipe.trainer.profile.empty()) {
    plan.steps = parse_step_range("trainer.profile", recipe.trainer.profile);
    if (step < recipe.trainer.max_steps && plan.steps->first > recipe.trainer.max_steps)
      log::warning("trainer.profile {} begins after the run's last step, {}: no profile will be taken",
                   recipe.trainer.profile, recipe.trainer.max_steps);
  }
  plan.folder = std::filesystem::path(recipe.trainer.run_dir) / "profile";
  plan.rank = layout.world() != nullptr ? layout.world()->rank() : 0;
  plan.prints_table = layout.leads();
  plan.device = device;
  plan.dtype = training_type(recipe);
  return plan;
}

// Whether the model can be exported is known now; after weeks of training it would be late.
void tell_if_not_exportable(const ModelConfig& model) {
  nlohmann::json config = nlohmann::json::object();
  try {
    family(model.family).write_config(model, config);
  } catch (const UserError& error) {
    log::warning("`llm-pretrain export` will refuse this model: {}", error.what());
  }
}

// Null: nothing is recorded.
std::unique_ptr<ops::DeviceGraph> graph_of_micro_batches(const Recipe& recipe, c10::Device device) {
  if (recipe.trainer.cuda_graphs == CudaGraphs::none) return nullptr;
#ifdef LONGHAUL_HAS_CUDA
  if (device.is_cuda()) return ops::cuda_graph(device);
#endif
  throw UserError("trainer.cuda_graphs is {}, but the run computes on {}: choose trainer.cuda_graphs=none",
                  name_of(recipe.trainer.cuda_graphs), device.str());
}

}  // namespace

Trainer::State::State(const Recipe& wanted, RunFolder& folder, comm::Communicator* world,
                      const comm::RankHosts& ranks_hosts)
    : source(source_of(wanted, world)),
      recipe(source.recipe()),
      batches_of_run(recipe.batch, recipe.data.sequence_length),
      hosts(ranks_hosts),
      device(near_its_node(resolve_device(recipe.trainer.device, hosts.local_rank()))),
      tensors(world, hosts, device, std::chrono::seconds(recipe.parallel.timeout)),
      layout(recipe, world, tensors.get()),
      resumed(find_resumed(recipe, layout.world())),
      progress(progress_of(resumed)),
      data(on_all(world, [&] { return open_run_data(source, progress); })),
      model(recipe.model, layout.store_options(training_type(recipe), device), decoder_layer_spec(), layout.stages()),
      optimizer(model.parameters(), recipe.optimizer, layout.optimizer_ranks(recipe.model.tied_embeddings)),
      global_step(model, layout, recipe, graph_of_micro_batches(recipe, device)),
      checkpoints(folder.make(), recipe, source.side_car(), order_of(sampler_options(), *data.train, layout.world()),
                  layout.world()),
      profiler(profile_plan(recipe, layout, device, progress.step)),
      copies(device),
      loss_on_host(copies.host_tensor({1}, at::kDouble)) {
  require_shared_folder(folder.make(), layout.world(), hosts, patience(recipe.parallel));
  fill();
  tell_if_not_exportable(recipe.model);
  if (progress.step >= recipe.trainer.max_steps) return;  // the run keeps what it was trained with
  const auto environment = run_environment(layout.world(), hosts, device);
  if (!layout.leads()) return;
  write_text(folder.make() / "config.json", full_recipe_text(recipe));
  write_text(folder.make() / "environment.json", lenient_json_text(environment, 2) + "\n");
}

Trainer::Trainer(const Recipe& recipe, comm::Communicator* world) : Trainer(recipe, world, comm::RankHosts(world)) {}

Trainer::Trainer(const Recipe& recipe, comm::Communicator* world, const comm::RankHosts& hosts) {
  log::leave_to_others(!comm::leads(world));
  ops::keep_host_memory();
  if (recipe.trainer.threads > 0) at::set_num_threads(static_cast<int>(recipe.trainer.threads));
  if (recipe.trainer.deterministic) {
    at::globalContext().setDeterministicAlgorithms(true, /*warn_only=*/false);
    // It would fill each new tensor with NaN, at the cost of writing everything twice: nothing here reads before it
    // writes.
    at::globalContext().setDeterministicFillUninitializedMemory(false);
  }
  folder_ = std::make_unique<RunFolder>(run_folder(recipe), comm::leads(world));
  try {
    state_ = std::make_unique<State>(recipe, *folder_, world, hosts);
  } catch (const std::exception& error) {
    RunFolder::note(error);
    throw;
  }
}

Trainer::~Trainer() = default;

void Trainer::State::fill() {
  int64_t held = 0;
  for (const Optimizer::Piece& piece : optimizer.pieces(PieceChoice::all)) held += piece.master.numel();
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

const Recipe& Trainer::recipe() const {
  return state_->recipe;
}
int64_t Trainer::step() const {
  return state_->progress.step;
}
Transformer& Trainer::model() {
  return state_->model;
}
Optimizer& Trainer::optimizer() {
  return state_->optimizer;
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

}  // namespace longhaul
