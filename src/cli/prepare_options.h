// The options of `llm-pretrain prepare`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace longhaul::cli {

struct PrepareOptions {
  std::vector<std::string> inputs;  // JSONL or text files, globs, folders
  std::string tokenizer;            // a Hugging Face folder
  std::string output_prefix;
  std::vector<std::string> json_keys{"text"};
  bool append_eod = false;
  int64_t workers = 0;  // 0: one a core
  bool no_special_tokens = false;
  std::string on_bad_line = "fail";  // or "skip"
};

// Adds the subcommand with its options and help; the caller sets the callback.
CLI::App* add_prepare_options(CLI::App& app, PrepareOptions& options);

}  // namespace longhaul::cli
