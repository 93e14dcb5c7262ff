#include "longhaul/data/fim_dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "data/fill_in_the_middle.h"
#include "longhaul/core/config/json.h"
#include "longhaul/core/hash.h"
#include "longhaul/core/json_text.h"

namespace longhaul {

FimDataset::FimDataset(std::shared_ptr<const Dataset> samples, std::shared_ptr<const Tokenizer> tokenizer,
                       const FimConfig& config, int32_t eod_id, uint32_t seed)
    : samples_(std::move(samples)), seed_(seed) {
  order_id_ = hex64(
      xxh3(fmt::format("fim {} {} {:x} {} {}", samples_->order_id(),
                       json_text(write_json(fields<FimConfig>(), &config)), tokenizer->fingerprint(), eod_id, seed)));
  fill_ = std::make_unique<const FillInTheMiddle>(std::move(tokenizer), config, eod_id);
}

FimDataset::~FimDataset() = default;

void FimDataset::get(int64_t index, Sample& sample) const {
  samples_->get(index, sample);
  if (sample.valid == 0) return;
  // The ids that the sample was cut from: its tokens, and the label of the last.
  std::vector<int32_t> ids(sample.tokens.begin(), sample.tokens.begin() + sample.valid);
  ids.push_back(static_cast<int32_t>(sample.labels[static_cast<size_t>(sample.valid) - 1]));
  RandomState random(static_cast<uint32_t>(seed_ + static_cast<uint64_t>(index)));
  const std::vector<int32_t> changed = fill_->rearranged(ids, random);

  const size_t count = std::min(ids.size(), changed.size());
  const auto padded = [&](std::vector<int64_t>& out, size_t begin, size_t end) {
    const size_t length = out.size();
    out.assign(changed.begin() + static_cast<std::ptrdiff_t>(begin),
               changed.begin() + static_cast<std::ptrdiff_t>(end));
    out.resize(length, 0);
  };
  padded(sample.tokens, 0, std::min(count, sample.tokens.size()));
  padded(sample.labels, 1, count);
  sample.valid = static_cast<int64_t>(count) - 1;
}

}  // namespace longhaul
