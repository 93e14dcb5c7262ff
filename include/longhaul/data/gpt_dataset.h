// Samples of a fixed number of tokens, cut from the shuffled documents of an indexed dataset, in exactly the
// order of Megatron's GPTDataset. The order depends on everything in GptDatasetOptions down to `stable_order`.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "longhaul/data/dataset.h"
#include "longhaul/data/split.h"

namespace longhaul {

class IndexedDatasetReader;
struct GptIndex;

struct GptDatasetOptions {
  Split split = Split::train;
  std::optional<std::string> split_string;  // which part of the dataset `split` is, e.g. "969,30,1"; none: all of it
  int64_t sequence_length = 1024;
  std::optional<int64_t> samples;  // at least so many, repeating the data as needed; none: one epoch
  uint32_t seed = 1234;
  bool drop_last = true;  // false: the last, partial sample is kept and padded
  bool stable_order =
      false;              // each epoch is shuffled on its own: more samples come behind, the order of the first stays
  std::string cache_dir;  // where the order is kept between runs; empty: PREFIX/cache/GPTDataset_indices
  std::string tokenizer_json = "null";  // Megatron's description of the tokenizer, part of the cache files' names
};

class GptDataset : public Dataset {
 public:
  // Throws UserError when the split holds no tokens or not a single sample.
  GptDataset(std::shared_ptr<const IndexedDatasetReader> reader, const GptDatasetOptions& options);
  ~GptDataset() override;

  int64_t size() const override;
  void get(int64_t index, Sample& sample) const override;
  std::vector<SamplePart> parts(int64_t index) const override;
  std::string order_id() const override { return order_id_; }

  int64_t epochs() const { return epochs_; }
  int64_t tokens_per_epoch() const { return tokens_per_epoch_; }
  const GptIndex& index() const { return *index_; }
  // Megatron's JSON text for this dataset and its order; its MD5 names the cached arrays.
  const std::string& description() const { return description_; }

 private:
  template <typename Use>
  void for_each_part(int64_t index, Use use) const;

  std::shared_ptr<const IndexedDatasetReader> reader_;
  int64_t sequence_length_;
  int64_t epochs_ = 0;
  int64_t tokens_per_epoch_ = 0;
  std::string description_;
  std::string order_id_;
  std::unique_ptr<const GptIndex> index_;
};

}  // namespace longhaul
