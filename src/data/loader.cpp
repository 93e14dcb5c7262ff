#include "longhaul/data/loader.h"

#include <utility>
#include <vector>

#include "longhaul/core/error.h"

namespace longhaul {

Loader::Loader(std::shared_ptr<const Dataset> dataset, const SamplerOptions& sampler, LoaderOptions options,
               int64_t consumed)
    : dataset_(std::move(dataset)),
      sampler_(sampler, dataset_->size()),
      options_(std::move(options)),
      consumed_(consumed) {
  LONGHAUL_CHECK(options_.prefetch >= 1 && options_.threads >= 1 && options_.sequence_length >= 1,
                 "prefetch {}, threads {}, sequence length {}", options_.prefetch, options_.threads,
                 options_.sequence_length);
  auto source = [this, upcoming = consumed, made = int64_t{0}](Numbers& numbers) mutable {
    if (options_.batches && made == *options_.batches) return false;
    sampler_.read_at(upcoming, options_.rank, numbers);
    ++made;
    upcoming += sampler_.stride();
    return true;
  };
  std::vector<OrderedWorkers<Numbers, Batch>::Worker> workers;
  for (int64_t i = 0; i < options_.threads; ++i) {
    workers.emplace_back(
        [this, scratch = Sample()](Numbers& numbers, Batch& batch) mutable { make(numbers, batch, scratch); });
  }
  workers_ = std::make_unique<OrderedWorkers<Numbers, Batch>>(std::move(source), std::move(workers), options_.prefetch);
}

Loader::~Loader() = default;

void Loader::make(const Numbers& numbers, Batch& batch, Sample& scratch) const {
  start_batch(batch, options_.sequence_length);
  for (const int64_t number : numbers) {
    dataset_->get(number, scratch);
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
