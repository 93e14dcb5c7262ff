// Which files `prepare` reads, in which order, and what is in them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace longhaul {

enum class InputKind { json_lines, text, standard_input };

struct InputFile {
  std::filesystem::path path;
  InputKind kind = InputKind::json_lines;
};

// Each input is a file, a glob, a folder (all its files, recursively) or "-" for JSON lines from standard
// input. The order is that of the inputs, sorted by path within a glob or a folder. Files that end in .jsonl,
// .json or .ndjson hold JSON lines, all others are one document each. What `output_prefix` names is left out
// of folders. Throws UserError for inputs that match nothing, are compressed or appear twice.
std::vector<InputFile> find_inputs(const std::vector<std::string>& inputs, const std::string& output_prefix);

}  // namespace longhaul
