// Datasets that an earlier run of `prepare` completed, and whether this run would make the same.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "data/prepare/input_files.h"
#include "longhaul/data/prepare.h"

namespace longhaul {

// Not standard input.
bool can_be_read_again(const std::vector<InputFile>& files);

// As PreparedInfo has it.
std::string made_of(const PrepareOptions& options, const PrepareTokenizer& tokenizer,
                    const std::vector<InputFile>& files);

// What an earlier run made of the same; nothing where any of it is missing or damaged.
std::optional<PrepareReport> made_before(const PrepareOptions& options, const PrepareTokenizer& tokenizer,
                                         const std::vector<InputFile>& files);

}  // namespace longhaul
