// Several datasets mixed into one, in exactly the order of Megatron's BlendedDataset: which dataset serves the i-th
// sample depends on the weights alone, and each dataset serves its samples in its own order.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "longhaul/data/dataset.h"

namespace longhaul {

struct BlendIndex;

class BlendedDataset : public Dataset {
 public:
  // `weights`, one a dataset with the sum 1, are those that `index` was built from. No dataset may be asked for more
  // samples than it has.
  BlendedDataset(std::vector<std::shared_ptr<const Dataset>> datasets, const std::vector<double>& weights,
                 BlendIndex index);
  ~BlendedDataset() override;

  int64_t size() const override;
  void get(int64_t index, Sample& sample) const override;
  std::vector<SamplePart> parts(int64_t index) const override;
  std::string order_id() const override { return order_id_; }

  const std::vector<std::shared_ptr<const Dataset>>& datasets() const { return datasets_; }
  const BlendIndex& index() const { return *index_; }

 private:
  const Dataset& dataset_of(int64_t index) const;

  std::vector<std::shared_ptr<const Dataset>> datasets_;
  std::unique_ptr<const BlendIndex> index_;
  std::string order_id_;
};

}  // namespace longhaul
