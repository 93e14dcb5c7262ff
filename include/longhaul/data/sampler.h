// Which samples a data-parallel rank reads, as Megatron's sequential sampler: consecutive chunks of
// micro_batch · ranks sample numbers, of which rank r takes the r-th run of micro_batch. The number of
// samples consumed so far says everything, so it is all that a checkpoint keeps; batch size, its ramp and the
// number of ranks may change from run to run.
#pragma once

#include <cstdint>

namespace longhaul {

struct SequentialSampler {
  int64_t total = 0;        // samples in the dataset; a Loader fills it in
  int64_t micro_batch = 1;  // samples a rank reads at once
  int64_t ranks = 1;        // data-parallel ranks
  int64_t rank = 0;

  // Samples that all ranks together read at once; `consumed` grows by it from one micro-batch to the next.
  int64_t stride() const { return micro_batch * ranks; }

  // Whether a whole micro-batch is left for every rank once `consumed` samples have been read. What is less
  // than that is dropped.
  bool has_next(int64_t consumed) const { return consumed + stride() <= total; }

  // The first of the micro_batch consecutive sample numbers that this rank reads next.
  int64_t first(int64_t consumed) const { return consumed + rank * micro_batch; }
};

}  // namespace longhaul
