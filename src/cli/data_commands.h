// The verbs of `llm-pretrain data` that have files of their own.
#pragma once

namespace CLI {
class App;
}

namespace longhaul::cli {

void add_index(CLI::App& parent);
void add_masked(CLI::App& parent);
void add_merge(CLI::App& parent);

}  // namespace longhaul::cli
