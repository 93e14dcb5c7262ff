#include "data/build_blend.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <exception>
#include <filesystem>
#include <numeric>
#include <span>
#include <utility>

#include "data/blend_index_cache.h"
#include "data/in_parallel.h"
#include "longhaul/core/error.h"
#include "longhaul/core/log.h"
#include "longhaul/data/blended_dataset.h"

namespace longhaul {
namespace {

using Corpora = std::vector<std::shared_ptr<const GptDataset>>;

// A corpus may be drawn from a little more often than its share; so much more is asked of it, as in Megatron.
constexpr double kSurplus = 0.005;

int64_t scaled(int64_t samples, double factor) {
  return static_cast<int64_t>(std::ceil(static_cast<double>(samples) * factor));
}

class BlendBuilder {
 public:
  BlendBuilder(const Blend& blend, const GptDatasetOptions& options, CorpusReaders& readers)
      : blend_(blend), options_(options), readers_(readers) {}

  // A corpus by itself; with data.split, Megatron makes a blend even of a single one that has a weight.
  std::shared_ptr<const Dataset> build() const {
    const bool alone = blend_.prefixes.size() == 1 && (!blend_.weights || !options_.split_string);
    if (alone) return corpus(0, options_.samples);
    return blend_.weights ? weighted() : by_size();
  }

 private:
  std::shared_ptr<const GptDataset> corpus(size_t i, std::optional<int64_t> samples) const {
    GptDatasetOptions options = options_;
    options.samples = samples;
    return std::make_shared<const GptDataset>(readers_.open(blend_.prefixes[i]), options);
  }

  // Each corpus with so many samples. Several are made at once, since most of the work, to shuffle, keeps one core
  // busy. Throws what the first that fails throws.
  Corpora all(std::span<const std::optional<int64_t>> samples) const {
    Corpora corpora(samples.size());
    std::vector<std::exception_ptr> errors(samples.size());
    std::atomic<size_t> next = 0;
    std::atomic<size_t> first_failed = samples.size();  // those before it are made all the same: one may fail as well
    in_parallel(std::min(samples.size(), index_threads()), [&](size_t) {
      for (size_t i = next++; i < samples.size() && i < first_failed; i = next++) {
        try {
          corpora[i] = corpus(i, samples[i]);
        } catch (...) {
          errors[i] = std::current_exception();
          for (size_t known = first_failed; i < known && !first_failed.compare_exchange_weak(known, i);) {
          }
        }
      }
    });
    for (const std::exception_ptr& error : errors) {
      if (error) std::rethrow_exception(error);
    }
    return corpora;
  }

  BlendIndex index(const Corpora& corpora, BlendOrder order) const {
    for (const auto& corpus : corpora) order.datasets.push_back(corpus->description());
    order.split = options_.split;
    const std::filesystem::path folder =
        options_.cache_dir.empty()
            ? std::filesystem::path(dataset_prefix(blend_.prefixes[0])) / "cache" / "BlendedDataset_indices"
            : std::filesystem::path(options_.cache_dir);
    return load_or_build_blend_index(order, folder);
  }

  std::shared_ptr<const Dataset> weighted() const {
    if (!options_.samples) {
      throw UserError("a blend with weights has no end of its own: say how many samples of {} … are wanted",
                      blend_.prefixes[0]);
    }
    const std::vector<double> shares = normalized(*blend_.weights);
    int64_t size = 0;
    std::vector<std::optional<int64_t>> wanted;
    for (const double share : shares) {
      const int64_t target = scaled(*options_.samples, share);
      size += target;
      wanted.emplace_back(scaled(target, 1 + kSurplus));
    }
    Corpora corpora = all(wanted);
    // Megatron divides by the sum a second time, which can change last bits.
    BlendOrder order;
    order.weights = normalized(shares);
    order.size = size;
    BlendIndex blended = index(corpora, order);
    // Very small weights can be served more often than that; Megatron gives up here.
    const std::vector<int64_t> used = samples_used(blended, corpora.size());
    for (size_t i = 0; i < corpora.size(); ++i) {
      if (used[i] > corpora[i]->size()) corpora[i] = corpus(i, used[i]);
    }
    return join(corpora, order.weights, std::move(blended));
  }

  std::shared_ptr<const Dataset> by_size() const {
    const Corpora corpora = all(std::vector<std::optional<int64_t>>(blend_.prefixes.size()));
    BlendOrder order;
    for (const auto& corpus : corpora) order.lengths.push_back(corpus->size());
    const int64_t total = std::accumulate(order.lengths.begin(), order.lengths.end(), int64_t{0});
    if (options_.samples) order.size = std::min(*options_.samples, total);
    const std::vector<double> lengths(order.lengths.begin(), order.lengths.end());
    return join(corpora, normalized(lengths), index(corpora, order));
  }

  static std::shared_ptr<const Dataset> join(const Corpora& corpora, const std::vector<double>& shares,
                                             BlendIndex index) {
    return std::make_shared<const BlendedDataset>(
        std::vector<std::shared_ptr<const Dataset>>(corpora.begin(), corpora.end()), shares, std::move(index));
  }

  const Blend& blend_;
  const GptDatasetOptions& options_;
  CorpusReaders& readers_;
};

}  // namespace

std::shared_ptr<const IndexedDatasetReader> CorpusReaders::open(const std::string& prefix) {
  const std::string file = dataset_prefix(prefix);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = readers_.find(file); found != readers_.end()) return found->second;
  }
  auto reader = std::make_shared<const IndexedDatasetReader>(prefix);  // takes its time, so without the lock
  const std::lock_guard lock(mutex_);
  return readers_.emplace(file, std::move(reader)).first->second;
}

std::shared_ptr<const Dataset> build_blend(const Blend& blend, const GptDatasetOptions& options,
                                           CorpusReaders& readers) {
  LONGHAUL_CHECK(!blend.prefixes.empty(), "a blend of nothing");
  return BlendBuilder(blend, options, readers).build();
}

}  // namespace longhaul
