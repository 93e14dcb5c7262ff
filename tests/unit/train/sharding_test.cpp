// What data parallelism claims beside equal results: when it communicates, and what it keeps in memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "longhaul/comm/thread_communicator.h"
#include "longhaul/data/mock_dataset.h"
#include "longhaul/model/initialise.h"
#include "longhaul/train/evaluator.h"
#include "train/parallel_layout.h"
#include "unit/train/layout_rows.h"
#include "unit/train/layout_run.h"
#include "unit/train/recording_communicator.h"

namespace longhaul {
namespace {

Recipe steps_of(const Row& row, int64_t steps, int64_t layers = 4) {
  Recipe recipe = recipe_of(row);
  recipe.model.layers = layers;
  recipe.trainer.max_steps = steps;
  recipe.schedule.warmup_steps = 0;
  return recipe;
}

// With two tensor ranks the last thing that the backward of the first layer says is a sum over them, of its input's
// gradient.
TEST(DataParallel, GradientsTravelWhileTheLayersBelowRunBackward) {
  for (const Sharding sharding : {Sharding::none, Sharding::optimizer, Sharding::gradients, Sharding::parameters}) {
    std::vector<RecordedCall> calls;  // of rank 0
    const Recipe recipe = steps_of({.family = Family::nemotron, .tensor = 2, .data = 2, .sharding = sharding}, 1);
    train_in_layout(recipe, 4, {.wrap = [&](comm::Communicator& world) {
                      const bool first = world.rank() == 0;
                      return make_recorder(world, [&calls, first](const RecordedCall& call) {
                        if (first) calls.push_back(call);
                      });
                    }});
    const RecordedCall last_sum{"tensor", "all_reduce", comm::DataType::f32};
    const RecordedCall reduction{"data", sharding == Sharding::none ? "all_reduce" : "reduce_scatter",
                                 comm::DataType::f32};
    const auto end = std::find(calls.rbegin(), calls.rend(), last_sum).base();
    const int64_t micro_batches = sharding >= Sharding::gradients ? recipe.batch.global / 2 : 1;
    const int64_t units = recipe.model.layers + 3;
    // All but the first layer's and the embedding's, of the last micro-batch.
    EXPECT_EQ(std::count(calls.begin(), end, reduction), units * micro_batches - 2) << name_of(sharding);
    EXPECT_EQ(std::count(end, calls.end(), reduction), 2) << name_of(sharding);
  }
}

// A layer's values are asked for before the layer above is computed.
TEST(DataParallel, ParametersAreGatheredOneUnitAhead) {
  std::vector<RecordedCall> calls;
  const Recipe recipe =
      steps_of({.family = Family::nemotron, .tensor = 2, .data = 2, .sharding = Sharding::parameters}, 1);
  train_in_layout(recipe, 4, {.wrap = [&](comm::Communicator& world) {
                    const bool first = world.rank() == 0;
                    return make_recorder(world, [&calls, first](const RecordedCall& call) {
                      if (first) calls.push_back(call);
                    });
                  }});
  const RecordedCall gather{"data", "all_gather", comm::DataType::f32},
      sum{"tensor", "all_reduce", comm::DataType::f32};
  std::vector<int64_t> ahead;  // gathers before each of the first sums: the embedding's, and two in each layer
  int64_t gathers = 0;
  for (const RecordedCall& call : calls) {
    if (call == gather) ++gathers;
    if (call == sum) ahead.push_back(gathers);
    if (ahead.size() == 5) break;
  }
  EXPECT_EQ(ahead, (std::vector<int64_t>{2, 3, 3, 4, 4}));
}

struct Live {
  int64_t values = 0, gradients = 0;  // elements with memory, in whole units
};

Live live(const ParameterStore& store) {
  Live live;
  for (const ParameterUnit& unit : store.units()) {
    if (unit.values.storage().data() != nullptr) live.values += unit.values.numel();
    if (unit.main_grads.storage().data() != nullptr) live.gradients += unit.main_grads.numel();
  }
  return live;
}

TEST(DataParallel, WholeUnitsAreInMemoryTwoAtATime) {
  for (const bool recompute : {false, true}) {
    for (const Sharding sharding : {Sharding::optimizer, Sharding::gradients, Sharding::parameters}) {
      const Recipe recipe = steps_of(
          {.data = 2, .sharding = sharding, .recompute = recompute ? RecomputeMode::full : RecomputeMode::none}, 2, 10);
      std::vector<const ParameterStore*> stores(2);
      std::vector<Live> most(2), at_end(2);
      std::vector<int64_t> sizes;
      const auto look = [&](int rank) {
        if (stores[rank] == nullptr) return;
        at_end[rank] = live(*stores[rank]);
        most[rank].values = std::max(most[rank].values, at_end[rank].values);
        most[rank].gradients = std::max(most[rank].gradients, at_end[rank].gradients);
      };
      train_in_layout(recipe, 2,
                      {.wrap =
                           [&](comm::Communicator& world) {
                             return make_recorder(world, [&, rank = world.rank()](const RecordedCall&) { look(rank); });
                           },
                       .built =
                           [&](int rank, const ParameterStore& store) {
                             stores[rank] = &store;
                             if (rank != 0) return;
                             for (const ParameterUnit& unit : store.units()) sizes.push_back(unit.range.count());
                           }});
      int64_t all = 0;
      for (const int64_t size : sizes) all += size;
      std::sort(sizes.rbegin(), sizes.rend());
      for (int rank = 0; rank < 2; ++rank) {
        const bool fewer_gradients = sharding >= Sharding::gradients, fewer_values = sharding == Sharding::parameters;
        EXPECT_EQ(most[rank].gradients == all, !fewer_gradients);
        EXPECT_EQ(most[rank].values == all, !fewer_values);
        if (fewer_gradients) {
          EXPECT_LE(most[rank].gradients, sizes[0] + sizes[1]);
          EXPECT_GE(most[rank].gradients, sizes[0]);
        }
        if (fewer_values) {
          EXPECT_LE(most[rank].values, sizes[0] + sizes[1]);
          EXPECT_GE(most[rank].values, sizes[0]);
        }
        // The last call of a step sums the norm, or in ZeRO 1 and 2 gathers the new values.
        EXPECT_EQ(at_end[rank].gradients, fewer_gradients ? 0 : all);
        EXPECT_EQ(at_end[rank].values, fewer_values ? 0 : all);
      }
    }
  }
}

// BF16 has 8 bits of precision: each rank's gradient and the sum are off by one part in 512 at most, and so is the
// norm.
TEST(DataParallel, ReducesInBf16WithinItsRounding) {
  for (const Sharding sharding : {Sharding::none, Sharding::optimizer, Sharding::gradients, Sharding::parameters}) {
    Recipe recipe = steps_of({.data = 4, .sharding = sharding}, 6);
    const LayoutRun exact = train_in_layout(recipe, 4);
    recipe.parallel.gradient_reduction = GradientReduction::bf16;
    const LayoutRun rounded = train_in_layout(recipe, 4);
    EXPECT_EQ(exact.losses[0], rounded.losses[0]);
    for (size_t step = 0; step < exact.losses.size(); ++step) {
      EXPECT_LT(std::abs(rounded.losses[step] / exact.losses[step] - 1), 1e-3) << name_of(sharding);
      EXPECT_LT(std::abs(rounded.norms[step] / exact.norms[step] - 1), step == 0 ? 1.0 / 256 : 2e-2)
          << name_of(sharding);
    }
    const double weights = relative_difference(exact.weights, rounded.weights);
    EXPECT_GT(weights, 1e-6) << name_of(sharding) << ": nothing was rounded";
    // Adam moves a weight by the learning rate, whatever its gradient's size: what is rounded to the other sign goes
    // astray.
    EXPECT_LT(weights, 0.1) << name_of(sharding);
  }
}

// Every level keeps the FP32 masters that the BF16 weights are rounded from; only the order of sums differs.
TEST(DataParallel, TrainsInBf16AtEveryLevel) {
  const LayoutRun truth = train_in_layout(steps_of({.data = 2}, 6), 2, {.dtype = at::kBFloat16});
  for (const Sharding sharding : {Sharding::optimizer, Sharding::gradients, Sharding::parameters}) {
    const LayoutRun run = train_in_layout(steps_of({.data = 2, .sharding = sharding}, 6), 2, {.dtype = at::kBFloat16});
    for (size_t step = 0; step < truth.losses.size(); ++step) {
      EXPECT_LT(std::abs(run.losses[step] / truth.losses[step] - 1), 1e-3) << name_of(sharding);
    }
    EXPECT_LT(relative_difference(truth.weights, run.weights), 1e-2) << name_of(sharding);
  }
}

// Announces a unit's gradients before they are complete, as a hook at the wrong place would.
class Hasty final : public UnitEvents {
 public:
  Hasty(UnitEvents& inner, size_t hurried) : inner_(inner), hurried_(hurried) {}
  void begin_batch(int64_t micro_batches) override { inner_.begin_batch(micro_batches); }
  void use_values(size_t unit, std::optional<size_t> next) override { inner_.use_values(unit, next); }
  void values_used(size_t unit) override { inner_.values_used(unit); }
  void use_gradients(size_t unit) override {
    inner_.use_gradients(unit);
    if (unit == hurried_) inner_.gradients_added(unit);
  }
  void gradients_added(size_t unit) override {
    if (unit != hurried_) inner_.gradients_added(unit);
  }

 private:
  UnitEvents& inner_;
  const size_t hurried_;
};

std::unique_ptr<comm::Communicator> exchange_at_once(comm::Communicator& world) {
  return make_recorder(
      world, [](const RecordedCall&) {}, Exchange::at_once);
}

TEST(DataParallel, NoBufferIsTouchedOnItsWay) {
  for (const Sharding sharding : {Sharding::none, Sharding::optimizer, Sharding::gradients, Sharding::parameters}) {
    for (const GradientReduction reduction : {GradientReduction::fp32, GradientReduction::bf16}) {
      for (const Row& row : {Row{.family = Family::gpt, .data = 2},
                             Row{.family = Family::gpt, .tensor = 2, .sequence = true, .pipeline = 2, .data = 2}}) {
        Recipe recipe = steps_of(row, 3);
        recipe.parallel.sharding = sharding;
        recipe.parallel.gradient_reduction = reduction;
        const LayoutRun late = train_in_layout(recipe, row.ranks());
        const LayoutRun at_once = train_in_layout(recipe, row.ranks(), {.wrap = exchange_at_once});
        EXPECT_EQ(relative_difference(late.weights, at_once.weights), 0) << name_of(row) << " " << name_of(sharding);
      }
    }
  }
}

TEST(DataParallel, GradientsThatComeAfterTheirReductionAreMissed) {
  const Recipe recipe = steps_of({.data = 2}, 3);
  const LayoutRun truth = train_in_layout(recipe, 2);
  std::vector<std::unique_ptr<Hasty>> hasty(2);
  const LayoutRun run =
      train_in_layout(recipe, 2, {.wrap = exchange_at_once, .built = [&](int rank, ParameterStore& store) {
                                    hasty[rank] = std::make_unique<Hasty>(*store.events(), 2);
                                    store.tell(hasty[rank].get());
                                  }});
  EXPECT_GT(relative_difference(truth.weights, run.weights), 1e-4);
}

// Seven samples for four readers of two at once: some have one less, and one none, but all have to gather.
TEST(DataParallel, EvaluatesWhateverTheNumberOfSamples) {
  Recipe recipe = resolved(small_recipe(Family::gpt));
  const EvaluationPlan plan{
      .sequence_length = recipe.data.sequence_length, .micro_batch = 2, .samples = 0, .masks = {}};
  for (const int64_t samples : {7, 3, 8, 11}) {
    const auto data = std::make_shared<MockDataset>(MockDatasetOptions{
        .samples = samples, .sequence_length = recipe.data.sequence_length, .vocab_size = recipe.model.vocab_size});
    Transformer alone(recipe.model, {});
    initialise_parameters(alone.parameters().parameters(), 1);
    const Evaluation truth = evaluate(alone, data, plan);
    for (const Sharding sharding : {Sharding::none, Sharding::parameters}) {
      recipe.parallel.sharding = sharding;
      comm::run_thread_ranks(4, [&](comm::Communicator& world) {
        const ParallelLayout layout(recipe, &world);
        Transformer model(recipe.model, layout.store_options(at::kFloat, at::kCPU), decoder_layer_spec(),
                          layout.stages());
        Optimizer optimizer(model.parameters(), recipe.optimizer, layout.optimizer_ranks(recipe.model.tied_embeddings));
        optimizer.fill([](std::vector<Parameter>& parameters) { initialise_parameters(parameters, 1); });
        optimizer.publish();
        const Evaluation found = evaluate(model, data, plan, {}, {layout.data(), layout.pipeline()});
        EXPECT_EQ(found.tokens, truth.tokens);
        EXPECT_NEAR(found.loss, truth.loss, 1e-5);
        EXPECT_EQ(live(model.parameters()).values == 0, sharding == Sharding::parameters);
      });
    }
  }
}

// What a rank is to fill, and so to read or to draw: the rows that it keeps a part of, and no others.
TEST(DataParallel, ARankFillsTheRowsThatItsShareReachesInto) {
  for (const int tensor : {1, 2}) {
    for (const Sharding sharding : {Sharding::none, Sharding::optimizer, Sharding::parameters}) {
      const Recipe recipe =
          resolved(recipe_of({.family = Family::llama, .tensor = tensor, .data = 4, .sharding = sharding}));
      comm::run_thread_ranks(4 * tensor, [&](comm::Communicator& world) {
        const ParallelLayout layout(recipe, &world);
        Transformer model(recipe.model, layout.store_options(at::kFloat, at::kCPU), decoder_layer_spec(),
                          layout.stages());
        const ParameterStore& store = model.parameters();
        Optimizer optimizer(model.parameters(), recipe.optimizer, layout.optimizer_ranks(recipe.model.tied_embeddings));
        size_t unit = 0;
        optimizer.fill([&](std::vector<Parameter>& parameters) {
          const FlatRange range = store.units()[unit++].range;
          const int64_t part = sharding == Sharding::none ? range.count() : range.count() / 4;
          const int64_t begin = sharding == Sharding::none ? range.begin : range.begin + layout.data_rank() * part;
          const FlatRange share{begin, begin + part};
          std::map<std::string, int64_t> asked;
          for (const Parameter& p : parameters) {
            EXPECT_FALSE(p.blocks.empty());
            for_each_block(p, [&](const at::Tensor& value, const Block& block) {
              asked[p.name] += value.numel();
              EXPECT_LE(block.begin + block.length, p.shard.global_shape[block.dim]) << p.name;
              value.fill_(1);
            });
          }
          for (size_t i = 0; i < store.parameters().size(); ++i) {
            const Parameter& p = store.parameters()[i];
            if (store.unit_of(i) + 1 != unit) continue;
            int64_t wanted = 0;
            for (size_t b = 0; b < p.blocks.size(); ++b) {
              const FlatRange all = store.range_of(i, b), held = intersection(all, share);
              if (held.count() == 0) continue;
              const int64_t row = p.blocks[b].dim == 0 ? p.value.numel() / p.value.size(0) : all.count();
              wanted += ((held.end - all.begin + row - 1) / row - (held.begin - all.begin) / row) * row;
            }
            EXPECT_EQ(asked[p.name], wanted) << p.name;
          }
        });
        EXPECT_EQ(unit, store.units().size());
        for (const Optimizer::Piece& piece : optimizer.pieces(PieceChoice::owned)) {
          EXPECT_TRUE(piece.master.eq(1).all().item<bool>()) << piece.name << " is left out in part";
        }
      });
    }
  }
}

}  // namespace
}  // namespace longhaul
