// Hands out one micro-batch after another and makes the next ones meanwhile, in background threads. The order
// is that of the sampler whatever the number of threads.
//
//   Loader loader(dataset, {.micro_batch = 4, .ranks = 8}, {.rank = 3, .sequence_length = 1024, .masks = masks},
//   consumed_samples); Batch batch; while (loader.next(batch)) …
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "longhaul/data/batch.h"
#include "longhaul/data/batch_builder.h"
#include "longhaul/data/dataset.h"
#include "longhaul/data/ordered_workers.h"
#include "longhaul/data/sampler.h"

namespace longhaul {

struct LoaderOptions {
  int64_t rank = 0;             // of the sampler's, whose samples are read
  int64_t sequence_length = 0;  // of the dataset's samples
  MaskOptions masks;
  int64_t prefetch = 4;            // micro-batches made ahead, at least 1
  int64_t threads = 1;             // that make them, at least 1
  std::optional<int64_t> batches;  // `next` gives so many and then returns false; none: no end
};

class Loader {
 public:
  // Starts at `consumed` samples. Throws what the sampler throws for the dataset's size.
  Loader(std::shared_ptr<const Dataset> dataset, const SamplerOptions& sampler, LoaderOptions options,
         int64_t consumed = 0);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  // Waits for the next micro-batch and moves it to `batch`, whose memory is used again. Returns false when
  // `options.batches` have been handed out. Throws what the sampler throws, such as UserError when the dataset has no
  // samples left, and whatever the dataset threw.
  bool next(Batch& batch);

  // Samples, counted from the dataset's start, that all ranks together have been handed.
  int64_t consumed() const { return consumed_; }
  // Seconds that `next` has waited in all: above a few percent of the run, data is the limit.
  double wait_seconds() const;

 private:
  using Numbers = std::vector<int64_t>;  // of the samples of a batch
  void make(const Numbers& numbers, Batch& batch, Sample& scratch) const;

  const std::shared_ptr<const Dataset> dataset_;
  Sampler sampler_;
  const LoaderOptions options_;
  int64_t consumed_;  // by the batches handed out
  std::unique_ptr<OrderedWorkers<Numbers, Batch>> workers_;
};

}  // namespace longhaul
