// Which samples the data-parallel ranks read, and in which order: Megatron's samplers. The number of samples
// that all ranks together have consumed says everything, so it is all that a checkpoint keeps; the batch and
// its ramp may change from run to run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul {

enum class SamplerKind {
  sequential,  // from the first sample to the last, once; Megatron's "single"
  cyclic,      // shuffled anew in each pass over the dataset, for ever
};

struct SamplerOptions {
  SamplerKind kind = SamplerKind::sequential;
  bool sharding = true;     // cyclic: each rank reads from its own run of the dataset; false: from all of it
  int64_t micro_batch = 1;  // samples a rank reads at once
  int64_t ranks = 1;        // data-parallel ranks
};

// Not for several threads at once.
class Sampler {
 public:
  // `total`: samples in the dataset. UserError when a cyclic sampler can't fill one micro-batch for each rank
  // from them, or can't shuffle so many.
  Sampler(const SamplerOptions& options, int64_t total);

  // Samples that all ranks together read at once; what is consumed grows by it from one micro-batch to the
  // next.
  int64_t stride() const { return options_.micro_batch * options_.ranks; }
  // How many samples can be consumed. What is less than a micro-batch for each rank is dropped. None: any
  // number.
  std::optional<int64_t> end() const;

  // Fills `numbers` with the [micro_batch] sample numbers that `rank` reads next when `consumed` samples have
  // been read. UserError when the dataset is at its end, or when a cyclic sampler can't go on from there:
  // `consumed` must be a multiple of stride(). The first call of each pass of a cyclic sampler shuffles: 4
  // bytes a sample, one to two seconds for 10^8.
  void read_at(int64_t consumed, int64_t rank, std::vector<int64_t>& numbers);

  // Identifies which samples are read when, from a dataset whose own order has this id. Of a sequential
  // sampler it is that id, whatever the micro-batch and the number of ranks.
  std::string order_id(std::string_view dataset) const;

 private:
  int64_t samples_a_pass() const { return total_ - total_ % stride(); }
  int64_t shuffled() const;  // entries of permutation_
  void read_cyclic(int64_t consumed, int64_t rank, std::vector<int64_t>& numbers);

  const SamplerOptions options_;
  const int64_t total_;
  int64_t pass_ = -1;  // that permutation_ is of
  std::vector<uint32_t> permutation_;
};

}  // namespace longhaul
