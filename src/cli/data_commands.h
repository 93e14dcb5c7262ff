// The verbs of `llm-pretrain data` that have files of their own.
#pragma once

#include "cli/command_line.h"

namespace longhaul::cli {

void add_index(const Command& parent);
void add_masked(const Command& parent);
void add_merge(const Command& parent);

}  // namespace longhaul::cli
