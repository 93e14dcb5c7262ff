// Joins prepared datasets into one, in the order given.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longhaul {

struct MergeReport {
  int64_t datasets = 0;
  int64_t sequences = 0;
  int64_t documents = 0;
  int64_t tokens = 0;
  bool has_info = false;  // the output has a PREFIX.json, because all inputs had
};

// `inputs` are prefixes as dataset_prefix takes them; `output_prefix` is the name of the result without extension. When
// all inputs are partitions of one corpus they must be all of them, in order, and the result is what one unpartitioned
// run gives. Memory does not grow with the data. Throws UserError for inputs that don't belong together,
// and for an output that is there, unless `overwrite`; EnvironmentError when the output can't be written: what stood
// there then stays.
MergeReport merge_datasets(const std::vector<std::string>& inputs, const std::string& output_prefix,
                           bool overwrite = false);

}  // namespace longhaul
