// Where the tokens come from and how they are cut into sequences.
#pragma once

#include <cstdint>
#include <string>

#include "longhaul/core/config/fields.h"

namespace longhaul {

struct DataConfig {
  // Prefixes of .bin/.idx files. Empty valid and test: cut from `train` by `split`.
  std::string train, valid, test;
  std::string split = "969,30,1";  // shares of train, valid, test
  int64_t sequence_length = 1024;
  int64_t seed = 1234;
  bool mock = false;  // made-up tokens that a model can learn, without files
  std::string cache_dir;
  int64_t prefetch = 4;
  bool eod_mask_loss = false, reset_position_ids = false, reset_attention_mask = false;
  bool operator==(const DataConfig&) const = default;
};

template <>
const FieldTable& fields<DataConfig>();

}  // namespace longhaul
