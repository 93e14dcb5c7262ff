// What can be wrong with the options of `prepare` before anything is read. All throw UserError.
#pragma once

#include <string>
#include <vector>

#include "data/prepare/input_files.h"
#include "longhaul/data/prepare.h"

namespace longhaul {

void check_options(const PrepareOptions& options, const PrepareTokenizer& tokenizer);
void check_files(const PrepareOptions& options, const std::vector<InputFile>& files);

// OUTPUT_PREFIX, or OUTPUT_PREFIX_part02of16: sorted by name, partitions are in order.
std::string partition_prefix(const PrepareOptions& options);
// That with the key and _document or _sentence: the prefix of the key's dataset.
std::string dataset_of(const PrepareOptions& options, const std::string& key);

}  // namespace longhaul
