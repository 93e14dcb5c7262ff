#include "data/prepare/input_files.h"

#include <glob.h>

#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

bool is_one_of(const std::string& extension, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), extension) != list.end();
}

InputFile classified(const fs::path& path) {
  const std::string extension = path.extension().string();
  if (is_one_of(extension, {".gz", ".zst", ".bz2", ".xz", ".lz4", ".zip", ".7z"})) {
    throw UserError(
        "cannot read {}: it is compressed; unpack it, or pass its lines through standard input, e.g. "
        "`zcat FILE | llm-pretrain prepare --input - …`",
        path.string());
  }
  if (is_one_of(extension, {".parquet", ".arrow", ".feather", ".tar"})) {
    throw UserError("cannot read {}: {} files must be turned into JSON lines first", path.string(),
                    extension);
  }
  const bool json = is_one_of(extension, {".jsonl", ".json", ".ndjson"});
  return {path, json ? InputKind::json_lines : InputKind::text};
}

std::vector<fs::path> files_below(const fs::path& folder, const std::string& output_prefix) {
  const std::string ours = fs::absolute(output_prefix).lexically_normal().string() + "_";
  std::vector<fs::path> files;
  for (auto it = fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink);
       it != fs::recursive_directory_iterator(); ++it) {
    if (it->path().filename().string().starts_with('.')) {
      if (it->is_directory()) it.disable_recursion_pending();
      continue;
    }
    if (!it->is_regular_file()) continue;
    if (fs::absolute(it->path()).lexically_normal().string().starts_with(ours)) continue;
    files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<fs::path> matches_of(const std::string& pattern) {
  glob_t found{};
  const int status = ::glob(pattern.c_str(), 0, nullptr, &found);
  std::vector<fs::path> paths;
  if (status == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<fs::path> expand(const std::string& input, const std::string& output_prefix) {
  std::error_code ignored;
  std::vector<fs::path> roots;
  if (fs::exists(input, ignored)) {
    roots.emplace_back(input);
  } else if (input.find_first_of("*?[") != std::string::npos) {
    roots = matches_of(input);
    if (roots.empty()) throw UserError("no file matches the input {}", input);
  } else {
    throw UserError("cannot read the input {}: it does not exist", input);
  }
  std::vector<fs::path> files;
  for (const fs::path& root : roots) {
    if (!fs::is_directory(root)) {
      files.push_back(root);
      continue;
    }
    const auto below = files_below(root, output_prefix);
    if (below.empty()) throw UserError("the input folder {} holds no files", root.string());
    files.insert(files.end(), below.begin(), below.end());
  }
  return files;
}

}  // namespace

std::vector<InputFile> find_inputs(const std::vector<std::string>& inputs, const std::string& output_prefix) {
  if (inputs.empty()) throw UserError("no input: name at least one file, folder or glob");
  std::vector<InputFile> files;
  std::set<fs::path> seen;  // by earlier inputs
  const auto refuse_if_seen = [&](const fs::path& path, const fs::path& identity) {
    if (seen.contains(identity)) {
      throw UserError("the input {} is named twice; its documents would appear twice in the dataset", path.string());
    }
  };
  for (const std::string& input : inputs) {
    if (input == "-") {
      refuse_if_seen("standard input", "-");
      seen.insert("-");
      files.push_back({"standard input", InputKind::standard_input});
      continue;
    }
    try {
      // One glob or folder may hold a file and links to it: the file is read once.
      std::set<fs::path> here;
      for (const fs::path& path : expand(input, output_prefix)) {
        const fs::path identity = fs::canonical(path);
        refuse_if_seen(path, identity);
        if (here.insert(identity).second) files.push_back(classified(path));
      }
      seen.merge(here);
    } catch (const fs::filesystem_error& error) {
      throw UserError("cannot read {}: {}; mend its permissions, or leave it out",
                      error.path1().empty() ? input : error.path1().string(), error.code().message());
    }
  }
  return files;
}

}  // namespace longhaul
