#include "longhaul/data/loader.h"

#include <utility>
#include <vector>

#include "longhaul/core/error.h"

namespace longhaul {

Loader::Loader(std::shared_ptr<const Dataset> dataset, SequentialSampler sampler, LoaderOptions options,
               int64_t consumed)
    : dataset_(std::move(dataset)), sampler_(sampler), options_(std::move(options)), consumed_(consumed) {
  sampler_.total = dataset_->size();
  LONGHAUL_CHECK(options_.prefetch >= 1 && options_.threads >= 1 && options_.sequence_length >= 1,
                 "prefetch {}, threads {}, sequence length {}", options_.prefetch, options_.threads,
                 options_.sequence_length);
  LONGHAUL_CHECK(sampler_.micro_batch >= 1 && sampler_.rank >= 0 && sampler_.rank < sampler_.ranks,
                 "micro-batch {}, rank {} of {}", sampler_.micro_batch, sampler_.rank, sampler_.ranks);
  auto source = [this, upcoming = consumed, made = int64_t{0}](int64_t& item) mutable {
    if (options_.batches && made == *options_.batches) return false;
    ++made;
    item = upcoming;
    upcoming += sampler_.stride();
    return true;
  };
  std::vector<OrderedWorkers<int64_t, Batch>::Worker> workers;
  for (int64_t i = 0; i < options_.threads; ++i) {
    workers.emplace_back(
        [this, scratch = Sample()](int64_t& item, Batch& batch) mutable { make(item, batch, scratch); });
  }
  workers_ = std::make_unique<OrderedWorkers<int64_t, Batch>>(std::move(source), std::move(workers),
                                                              options_.prefetch);
}

Loader::~Loader() = default;

void Loader::make(int64_t consumed, Batch& batch, Sample& scratch) const {
  if (!sampler_.has_next(consumed)) {
    throw UserError(
        "the dataset has no samples left: it holds {}, and {} are consumed, but the next micro-batches "
        "need {}; train for fewer steps, or add data",
        sampler_.total, consumed, sampler_.stride());
  }
  start_batch(batch, options_.sequence_length);
  const int64_t first = sampler_.first(consumed);
  for (int64_t i = 0; i < sampler_.micro_batch; ++i) {
    dataset_->get(first + i, scratch);
    append_sample(batch, scratch, options_.masks);
  }
}

bool Loader::next(Batch& batch) {
  if (!workers_->next(batch)) return false;
  consumed_ += sampler_.stride();
  return true;
}

double Loader::wait_seconds() const {
  return workers_->wait_seconds();
}

}  // namespace longhaul
