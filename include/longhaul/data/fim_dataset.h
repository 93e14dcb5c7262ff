// The samples of another dataset, rearranged for filling in the middle (data.fim): Megatron's --fim-data.
//
// Sample i is rearranged with RandomState((seed + i) mod 2^32), so it is the same in every layout, after every restart
// and for any number of loader threads. (Megatron draws from one generator for all samples, in the order in which they
// are asked for.) What becomes longer is cut at the sample's end; what becomes shorter is padded there, without loss.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "longhaul/data/dataset.h"
#include "longhaul/data/fim_config.h"
#include "longhaul/data/tokenizer/tokenizer.h"

namespace longhaul {

class FillInTheMiddle;

class FimDataset : public Dataset {
 public:
  // `tokenizer` made the samples' ids, of which `eod_id` ends documents. Throws UserError for tokens of `config` that
  // it lacks.
  FimDataset(std::shared_ptr<const Dataset> samples, std::shared_ptr<const Tokenizer> tokenizer,
             const FimConfig& config, int32_t eod_id, uint32_t seed);
  ~FimDataset() override;

  int64_t size() const override { return samples_->size(); }
  void get(int64_t index, Sample& sample) const override;
  // Those of the sample before it was rearranged.
  std::vector<SamplePart> parts(int64_t index) const override { return samples_->parts(index); }
  std::string order_id() const override { return order_id_; }

 private:
  std::shared_ptr<const Dataset> samples_;
  std::unique_ptr<const FillInTheMiddle> fill_;
  uint32_t seed_;
  std::string order_id_;
};

}  // namespace longhaul
