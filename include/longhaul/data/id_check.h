// Reads every id of an indexed dataset. Opening one has checked all that its index says; only the ids are left.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "longhaul/data/indexed_dataset.h"

namespace longhaul {

struct IdRange {
  int64_t smallest = 0;  // both 0 where there are no ids
  int64_t largest = 0;
};

// `progress` is called now and then with the ids read so far. Throws UserError, which says where, for an id that is not
// in [0, vocab_size); without `vocab_size`, for a negative one.
IdRange check_ids(const IndexedDatasetReader& data, std::optional<int64_t> vocab_size,
                  const std::function<void(int64_t)>& progress = {});

}  // namespace longhaul
