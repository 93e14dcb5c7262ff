// The `data.fim` section of a configuration: fill-in-the-middle (fim_dataset.h).
#pragma once

#include <string>

#include "longhaul/core/config/fields.h"

namespace longhaul {

struct FimConfig {
  double rate = 0;           // share of the documents that are rearranged; 0: none
  double spm_rate = 0.5;     // share of these that begin with the suffix
  std::string split_sample;  // a token that ends a part of a document, such as a file of a repository
  double fragment_rate =
      0.5;  // with split_sample: share of the parts that are rearranged, in the documents that `rate` chose
  std::string no_prefix;  // documents and parts that begin so stay as they are
  std::string prefix_token = "<fim_prefix>";
  std::string middle_token = "<fim_middle>";
  std::string suffix_token = "<fim_suffix>";
  bool evaluation = false;  // validation and test data are rearranged, too
  bool operator==(const FimConfig&) const = default;
};

template <>
const FieldTable& fields<FimConfig>();

}  // namespace longhaul
