// The `data` section of a configuration: what is trained on, and how it is cut into sequences.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "longhaul/core/config/fields.h"
#include "longhaul/data/fim_config.h"
#include "longhaul/data/sampler.h"

namespace longhaul {

struct DataConfig {
  // Prefixes of indexed datasets (PREFIX.bin and PREFIX.idx), or blends of several, as blend.h reads them. `train`
  // alone is cut in three by `split`, and training leaves the third share alone; when `valid` or `test` is given as
  // well, each file is used whole.
  std::string train;
  std::string valid;
  std::string test;
  std::string replay;              // a prefix or blend of what the model was trained on before, mixed into train
  double replay_fraction = 0.05;   // of the training samples, when there is a replay
  std::string split = "969,30,1";  // shares of train, valid and test
  int64_t sequence_length = 1024;  // tokens a sample
  int64_t seed = 1234;             // of the order of the samples, 0 … 2^32 - 1
  bool stable_order = false;       // the order of the samples doesn't depend on how many are wanted
  SamplerKind sampler = SamplerKind::sequential;  // how training goes through them
  bool sampler_sharding = true;                   // cyclic: each data-parallel rank reads from its own share of them
  bool mock = false;                              // synthetic data, no files
  std::string cache_dir;                          // where the order is kept between runs; empty: beside each dataset
  int64_t prefetch = 4;                           // micro-batches made ahead of time
  bool eod_mask_loss = false;                     // no loss on predicting what follows an end-of-document token
  bool reset_position_ids = false;                // positions start at 0 again after an end-of-document token
  bool reset_attention_mask = false;              // no attention across an end-of-document token
  std::string tokenizer;        // a folder with tokenizer.json, for a model from scratch; model.from has its own
  bool check_tokenizer = true;  // refuse data that was prepared with another tokenizer than the model's
  FimConfig fim;                // fill-in-the-middle
  bool operator==(const DataConfig&) const = default;
};

template <>
std::span<const std::string_view> enum_names<SamplerKind>();
template <>
const FieldTable& fields<DataConfig>();

}  // namespace longhaul
