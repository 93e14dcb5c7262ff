#include "longhaul/data/blended_dataset.h"

#include <utility>

#include "data/blend_index.h"
#include "data/python_json.h"
#include "longhaul/core/error.h"
#include "longhaul/core/hash.h"

namespace longhaul {

BlendedDataset::BlendedDataset(std::vector<std::shared_ptr<const Dataset>> datasets, const std::vector<double>& weights,
                               BlendIndex index)
    : datasets_(std::move(datasets)), index_(std::make_unique<const BlendIndex>(std::move(index))) {
  LONGHAUL_CHECK(weights.size() == datasets_.size(), "{} weights for {} datasets", weights.size(), datasets_.size());
  const std::vector<int64_t> used = samples_used(*index_, datasets_.size());
  // The number of samples is left out: a longer blend begins like a shorter one.
  std::string order = "blend";
  for (size_t i = 0; i < datasets_.size(); ++i) {
    LONGHAUL_CHECK(used[i] <= datasets_[i]->size(), "a blend uses {} samples of {}", used[i], datasets_[i]->size());
    order += fmt::format(" {} {}", python_float(weights[i]), datasets_[i]->order_id());
  }
  order_id_ = hex64(xxh3(order));
}

BlendedDataset::~BlendedDataset() = default;

int64_t BlendedDataset::size() const {
  return index_->datasets.rows();
}

const Dataset& BlendedDataset::dataset_of(int64_t index) const {
  LONGHAUL_CHECK(index >= 0 && index < size(), "sample {} of {}", index, size());
  return *datasets_[static_cast<size_t>(index_->datasets[index])];
}

void BlendedDataset::get(int64_t index, Sample& sample) const {
  dataset_of(index).get(index_->samples[index], sample);
}

std::vector<SamplePart> BlendedDataset::parts(int64_t index) const {
  return dataset_of(index).parts(index_->samples[index]);
}

}  // namespace longhaul
