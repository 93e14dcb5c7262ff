// From a blend to the dataset that serves it.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "longhaul/data/blend.h"
#include "longhaul/data/dataset.h"
#include "longhaul/data/gpt_dataset.h"
#include "longhaul/data/indexed_dataset.h"

namespace longhaul {

// Opens each corpus once, however many splits and blends it is part of. For any number of threads.
class CorpusReaders {
 public:
  std::shared_ptr<const IndexedDatasetReader> open(const std::string& prefix);

 private:
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const IndexedDatasetReader>> readers_;
};

// The dataset that Megatron builds for one split of a blend with at least one prefix. `options` are those of every
// corpus, and `options.samples` is the number wanted of the whole; a weighted blend needs one. Without weights every
// corpus is read once, and the dataset may be shorter than wanted.
std::shared_ptr<const Dataset> build_blend(const Blend& blend, const GptDatasetOptions& options,
                                           CorpusReaders& readers);

}  // namespace longhaul
