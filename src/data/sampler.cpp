#include "longhaul/data/sampler.h"

#include <fmt/format.h>

#include "data/torch_permutation.h"
#include "longhaul/core/error.h"
#include "longhaul/core/hash.h"

namespace longhaul {

Sampler::Sampler(const SamplerOptions& options, int64_t total) : options_(options), total_(total) {
  LONGHAUL_CHECK(options_.micro_batch >= 1 && options_.ranks >= 1, "micro-batch {}, {} ranks", options_.micro_batch,
                 options_.ranks);
  if (options_.kind == SamplerKind::sequential) return;
  if (samples_a_pass() == 0) {
    throw UserError(
        "the dataset holds {} samples, but data.sampler=cyclic reads {} at once (batch.micro {} × {} "
        "data-parallel "
        "ranks): add data, or choose a smaller batch.micro or fewer ranks",
        total_, stride(), options_.micro_batch, options_.ranks);
  }
  if (shuffled() > int64_t{1} << 32) {
    throw UserError(
        "data.sampler=cyclic shuffles in memory, at most 2^32 samples, but here are {}: choose "
        "data.sampler=sequential, whose order is shuffled already",
        shuffled());
  }
}

std::optional<int64_t> Sampler::end() const {
  if (options_.kind == SamplerKind::cyclic) return std::nullopt;
  return samples_a_pass();
}

int64_t Sampler::shuffled() const {
  return options_.sharding ? samples_a_pass() / options_.ranks : total_ - total_ % options_.micro_batch;
}

void Sampler::read_at(int64_t consumed, int64_t rank, std::vector<int64_t>& numbers) {
  LONGHAUL_CHECK(rank >= 0 && rank < options_.ranks, "rank {} of {}", rank, options_.ranks);
  numbers.clear();
  if (options_.kind == SamplerKind::cyclic) return read_cyclic(consumed, rank, numbers);
  if (consumed + stride() > total_) {
    throw UserError(
        "the dataset has no samples left: it holds {}, and {} are consumed, but the next micro-batches "
        "need {}; train for fewer steps, or add data",
        total_, consumed, stride());
  }
  for (int64_t i = 0; i < options_.micro_batch; ++i) numbers.push_back(consumed + rank * options_.micro_batch + i);
}

void Sampler::read_cyclic(int64_t consumed, int64_t rank, std::vector<int64_t>& numbers) {
  if (consumed % stride() != 0) {
    throw UserError(
        "{} samples are consumed, but data.sampler=cyclic goes on at multiples of {} alone (batch.micro {} × "
        "{} "
        "data-parallel ranks): go on with a batch.micro and a number of ranks whose product divides {}, or "
        "with "
        "data.sampler=sequential",
        consumed, stride(), options_.micro_batch, options_.ranks, consumed);
  }
  const int64_t pass = consumed / samples_a_pass(), done = consumed % samples_a_pass();
  if (pass != pass_) {
    torch_permutation(shuffled(), static_cast<uint32_t>(pass), permutation_);
    pass_ = pass;
  }
  // A rank takes consecutive entries, of its own run of the dataset; or every so many-th, of the whole.
  const int64_t first = options_.sharding ? done / options_.ranks : done + rank;
  const int64_t step = options_.sharding ? 1 : options_.ranks, offset = options_.sharding ? rank * shuffled() : 0;
  for (int64_t i = 0; i < options_.micro_batch; ++i) {
    numbers.push_back(offset + int64_t{permutation_[static_cast<size_t>(first + i * step)]});
  }
}

std::string Sampler::order_id(std::string_view dataset) const {
  if (options_.kind == SamplerKind::sequential) return std::string(dataset);
  return hex64(xxh3(fmt::format("cyclic {} {} {} {}", dataset, samples_a_pass(), shuffled(),
                                options_.sharding ? options_.ranks : 1)));
}

}  // namespace longhaul
