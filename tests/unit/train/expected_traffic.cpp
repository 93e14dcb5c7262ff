#include "unit/train/expected_traffic.h"

#include <algorithm>

namespace longhaul {
namespace {

constexpr int64_t kWidth = 4;   // bytes of an FP32
constexpr int64_t kNumber = 8;  // of a count, a loss or a norm

int64_t ring(int64_t bytes, int64_t n) {
  return (n - 1) * bytes / n;
}
int64_t ring_twice(int64_t bytes, int64_t n) {
  return 2 * (n - 1) * bytes / n;
}

int64_t valid_tokens(const Batch& batch) {
  return std::count_if(batch.loss_mask.begin(), batch.loss_mask.end(), [](float mask) { return mask > 0; });
}

// The sums over the hidden states: forward, backward, and the forward again where it is recomputed.
void add_tensor(comm::Traffic& sent, const Recipe& r, const RankShare& rank, const std::vector<Batch>& batches) {
  const int64_t n = r.parallel.tensor, hidden = kWidth * r.batch.micro * r.data.sequence_length * r.model.hidden;
  int64_t layers = 0, recomputed = 0;
  for (const auto& range : rank.layers) {
    layers += range.count();
    const int64_t limit = r.recompute.layers == 0 ? r.model.layers : r.recompute.layers;
    if (r.recompute.mode == RecomputeMode::full)
      recomputed += std::max<int64_t>(0, std::min(range.end, limit) - range.begin);
  }
  const int64_t ends = (rank.embedding ? 1 : 0) + (rank.output ? 1 : 0);
  const int64_t m = std::ssize(batches), sums = m * (4 * layers + 2 * recomputed + ends);
  if (r.parallel.sequence) {
    sent.reduce_scatter.bytes += sums * ring(hidden, n);
    sent.all_gather.bytes +=
        (sums + m * 2 * layers) * ring(hidden, n);  // a linear's input again, for its weight gradient
  } else {
    sent.all_reduce.bytes += sums * ring_twice(hidden, n);
  }
  if (!rank.output) return;
  for (const Batch& batch : batches) {  // of each token's logits the maximum; the exponentials' sum and the label's
    const int64_t numbers = kWidth * valid_tokens(batch);
    sent.all_reduce.bytes += ring_twice(numbers, n) + ring_twice(2 * numbers, n);
  }
}

void add_data(comm::Traffic& sent, const Recipe& r, int64_t n, int64_t m, const HeldParameters& held) {
  const Sharding sharding = r.parallel.sharding;
  const bool gpipe = r.parallel.schedule == PipelineSchedule::gpipe;
  sent.all_reduce.bytes += (sharding == Sharding::none ? 2 : 3) * ring_twice(kNumber, n);  // valid tokens, loss, norm
  for (const HeldParameters::Unit& unit : held.units) {
    const int64_t bytes = kWidth * unit.range.count();
    if (sharding == Sharding::none) {
      sent.all_reduce.bytes += ring_twice(bytes, n);
      continue;
    }
    // The loss adds to its table's gradient in the forward: GPipe has all of them before the first backward. A tied
    // one also gets the embedding's, of each micro-batch.
    const bool once = sharding == Sharding::optimizer || (gpipe && unit.output && !unit.embedding);
    sent.reduce_scatter.bytes += (once ? 1 : m) * ring(bytes, n);
    int64_t uses = 1;
    if (sharding == Sharding::parameters) uses = m * (!unit.table || (unit.output && unit.embedding) ? 2 : 1);
    sent.all_gather.bytes += uses * ring(bytes, n);
  }
}

void add_pipeline(comm::Traffic& sent, const Recipe& r, const RankShare& rank, int64_t m) {
  const int64_t chunks = r.parallel.virtual_pipeline, slices = r.parallel.sequence ? r.parallel.tensor : 1;
  const int64_t borders = 2 * chunks - (rank.embedding ? 1 : 0) - (rank.output ? 1 : 0);
  sent.send.bytes += m * borders * kWidth * r.batch.micro * r.data.sequence_length * r.model.hidden / slices;
  sent.all_reduce.bytes += ring_twice(kNumber, r.parallel.pipeline);  // the loss
}

// A rank's elements of `ranges`: its equal part of each unit, where data-parallel ranks share them.
int64_t shared_elements(const std::vector<FlatRange>& ranges, const HeldParameters& held, int64_t n,
                        int64_t data_rank) {
  int64_t elements = 0;
  for (const HeldParameters::Unit& unit : held.units) {
    const int64_t length = unit.range.count() / n, begin = unit.range.begin + data_rank * length;
    for (const FlatRange range : ranges) elements += intersection(range, {begin, begin + length}).count();
  }
  return elements;
}

}  // namespace

HeldParameters::HeldParameters(const ParameterStore& store, bool tied) {
  for (const ParameterUnit& unit : store.units()) units.push_back({unit.range});
  for (size_t i = 0; i < store.parameters().size(); ++i) {
    const Parameter& p = store.parameters()[i];
    Unit& unit = units[store.unit_of(i)];
    const bool positions = p.name == "embedding.position_embeddings.weight";
    const bool of_words = p.name == "embedding.word_embeddings.weight";
    if (p.shard.vocabulary || positions) unit.table = true;
    if (of_words) unit.embedding = !p.shard.copy;
    if (p.shard.vocabulary && (!of_words || p.shard.copy)) unit.output = true;
    for (size_t b = 0; b < p.blocks.size(); ++b) {
      if (p.shard.per_token) per_token.push_back(store.range_of(i, b));
      if (p.shard.vocabulary && tied) words.push_back(store.range_of(i, b));
    }
  }
}

LayoutRun::Sent expected_traffic(const Recipe& r, const RankShare& rank, int64_t data_ranks,
                                 const HeldParameters& wanted) {
  LayoutRun::Sent sent;
  HeldParameters held = wanted;
  if (r.model.tied_embeddings && rank.embedding && rank.output) {
    for (HeldParameters::Unit& unit : held.units) unit.output |= unit.embedding;
  }
  const bool shared = r.parallel.sharding != Sharding::none && data_ranks > 1;
  const int64_t parts = shared ? data_ranks : 1, part = shared ? rank.at.data : 0;
  for (int64_t step = 0; step < r.trainer.max_steps; ++step) {
    const auto batches = batches_of(r, step, rank.at.data, data_ranks);
    if (r.parallel.tensor > 1) {
      add_tensor(sent.tensor, r, rank, batches);
      if (r.parallel.sequence) {
        const int64_t elements = shared_elements(held.per_token, held, parts, part);
        sent.tensor.all_reduce.bytes += ring_twice(kWidth * elements, r.parallel.tensor);
      }
    }
    if (data_ranks > 1) add_data(sent.data, r, data_ranks, std::ssize(batches), held);
    if (r.parallel.pipeline == 1) continue;
    add_pipeline(sent.pipeline, r, rank, std::ssize(batches));
    if (r.model.tied_embeddings && (rank.embedding || rank.output)) {
      sent.ends.all_reduce.bytes += ring_twice(kWidth * shared_elements(held.words, held, parts, part), 2);
    }
  }
  return sent;
}

}  // namespace longhaul
