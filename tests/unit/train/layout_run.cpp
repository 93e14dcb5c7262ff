#include "unit/train/layout_run.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <cmath>
#include <limits>
#include <mutex>
#include <set>

#include "longhaul/comm/thread_communicator.h"
#include "longhaul/core/error.h"
#include "longhaul/core/random.h"
#include "longhaul/model/initialise.h"
#include "longhaul/optim/learning_rate.h"
#include "train/global_step.h"

namespace longhaul {
namespace {

// Sample `index` of the data: random tokens in at most `documents` documents, the loss mask 0 here and there. All of
// sample 1 of each step has none at all, so that one data-parallel rank may be left without a valid token.
void append_random(Batch& batch, int64_t index, const Recipe& recipe, int64_t documents) {
  const RandomStream stream(7, "sample");
  const int64_t length = recipe.data.sequence_length;
  const auto draw = [&](int64_t place, int64_t below) {
    return static_cast<int64_t>(stream.uniform(static_cast<uint64_t>(place), static_cast<uint64_t>(index)) *
                                static_cast<float>(below));
  };
  std::set<int64_t> borders{length};
  for (int64_t i = 0; i < documents - 1; ++i)
    borders.insert(1 + draw(3 * length + i, std::max<int64_t>(length - 1, 1)));
  const auto begin = static_cast<int32_t>(batch.tokens.size());
  for (int64_t i = 0; i < length; ++i) {
    batch.tokens.push_back(draw(i, recipe.model.vocab_size));
    batch.labels.push_back(draw(length + i, recipe.model.vocab_size));
    const bool masked = index % recipe.batch.global == 1 || draw(2 * length + i, 5) == 0;
    batch.loss_mask.push_back(masked ? 0.0F : 1.0F);
  }
  for (const int64_t border : borders) batch.cu_seqlens.push_back(begin + static_cast<int32_t>(border));
  ++batch.sequences;
}

void save(const std::vector<Optimizer::Piece>& pieces, LayoutRun& run, std::map<std::string, at::Tensor>& counts) {
  for (const Optimizer::Piece& piece : pieces) {
    const auto put = [&](std::map<std::string, at::Tensor>& into, const at::Tensor& value, bool add) {
      auto [entry, fresh] = into.try_emplace(piece.name);
      if (fresh) entry->second = at::zeros(piece.global_shape, value.options());
      at::Tensor view = entry->second;
      for (size_t d = 0; d < piece.offsets.size(); ++d) view = view.narrow(d, piece.offsets[d], value.size(d));
      if (add) {
        view.add_(1);
      } else {
        view.copy_(value);
      }
    };
    put(run.weights, piece.master, false);
    put(run.moments2, piece.moment2, false);
    put(counts, piece.master, true);
  }
}

}  // namespace

std::vector<Batch> batches_of(const Recipe& recipe, int64_t step, int64_t data_rank, int64_t data_ranks,
                              int64_t documents) {
  const int64_t micro = recipe.batch.micro, stride = micro * data_ranks;
  std::vector<Batch> batches;
  for (int64_t first = 0; first < recipe.batch.global; first += stride) {
    Batch& batch = batches.emplace_back();
    batch.sequence_length = recipe.data.sequence_length;
    batch.cu_seqlens = {0};
    for (int64_t i = 0; i < micro; ++i) {
      append_random(batch, step * recipe.batch.global + first + data_rank * micro + i, recipe, documents);
    }
  }
  return batches;
}

LayoutRun train_in_layout(const Recipe& wanted, int ranks, const RunOptions& options) {
  const Recipe recipe = resolved(wanted);
  validate_shape(recipe);
  LayoutRun run;
  std::map<std::string, at::Tensor> counts;
  std::mutex mutex;
  run.sent.resize(ranks);
  comm::run_thread_ranks(ranks, [&](comm::Communicator& threads) {
    at::set_num_threads(1);
    const std::unique_ptr<comm::Communicator> wrapper = options.wrap ? options.wrap(threads) : nullptr;
    comm::Communicator& world = wrapper ? *wrapper : threads;
    const ParallelLayout layout(recipe, &world);
    Transformer model(recipe.model, layout.store_options(options.dtype, at::kCPU), decoder_layer_spec(),
                      layout.stages());
    Optimizer optimizer(model.parameters(), recipe.optimizer, layout.optimizer_ranks(recipe.model.tied_embeddings));
    optimizer.fill([&](std::vector<Parameter>& parameters) {
      initialise_parameters(parameters, static_cast<uint64_t>(recipe.trainer.seed));
    });
    optimizer.publish();
    GlobalStep global_step(model, layout, recipe, options.graph ? options.graph() : nullptr);
    if (options.built) options.built(world.rank(), model.parameters());
    comm::Communicator* const ends = layout.optimizer_ranks(recipe.model.tied_embeddings).ends;
    for (comm::Communicator* group : {layout.tensor().ranks, layout.data(), layout.pipeline(), ends}) {
      if (group != nullptr) group->reset_traffic();
    }
    for (int64_t step = 0; step < recipe.trainer.max_steps; ++step) {
      const double loss =
          global_step
              .run(step + 1, batches_of(recipe, step, layout.data_rank(), layout.data_ranks(), options.documents))
              .item<double>();
      const double norm =
          optimizer.step(learning_rate(recipe.optimizer, recipe.schedule, recipe.trainer.max_steps, step + 1));
      if (!layout.leads()) continue;
      run.losses.push_back(loss);
      run.norms.push_back(norm);
    }
    optimizer.wait_for_values();
    const auto traffic = [](const comm::Communicator* group) {
      return group != nullptr ? group->traffic() : comm::Traffic();
    };
    run.sent[world.rank()] = {traffic(layout.tensor().ranks), traffic(layout.data()), traffic(layout.pipeline()),
                              traffic(ends)};
    const std::lock_guard lock(mutex);
    c10::AutoGradMode no_grad(false);
    save(optimizer.pieces(PieceChoice::owned), run, counts);
  });
  for (const auto& [name, count] : counts) {
    LONGHAUL_CHECK(count.min().item<float>() == 1 && count.max().item<float>() == 1, "{} is not saved exactly once",
                   name);
  }
  return run;
}

double relative_difference(double truth, double other) {
  const double difference = truth == other ? 0 : std::abs(other / truth - 1);
  return std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
}

double relative_difference(const std::map<std::string, at::Tensor>& a, const std::map<std::string, at::Tensor>& b) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  double worst = a.size() == b.size() ? 0 : kInfinity;
  for (const auto& [name, tensor] : a) {
    const double magnitude = tensor.abs().max().item<double>();
    const double difference = (tensor - b.at(name)).abs().max().item<double>() / std::max(magnitude, 1e-12);
    worst = std::max(worst, std::isnan(difference) ? kInfinity : difference);
  }
  return worst;
}

}  // namespace longhaul
