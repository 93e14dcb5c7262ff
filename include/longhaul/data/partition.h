// The share of the input that one of several machines takes. All of them together give what one alone gives, once
// merge_datasets has joined the outputs in order.
#pragma once

#include <cstdint>

namespace longhaul {

struct Partition {
  int64_t index = 1;  // from 1
  int64_t count = 1;
  // Document i (from 0) goes to partition i mod count + 1, as Megatron deals them. Otherwise partitions are
  // consecutive (Megatron's --keep-sequential-samples), and of about the same number of bytes.
  bool round_robin = false;

  bool operator==(const Partition&) const = default;
};

}  // namespace longhaul
