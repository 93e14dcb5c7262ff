#include "data/prepare/input_files.h"

#include <fmt/format.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <set>
#include <string_view>

#include "longhaul/core/error.h"
#include "longhaul/core/hash.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

bool is_one_of(const std::string& extension, std::initializer_list<std::string_view> list) {
  return std::find(list.begin(), list.end(), extension) != list.end();
}

}  // namespace

std::string unpacked_extension(const InputFile& file) {
  return (file.compressed ? file.path.stem() : file.path).extension().string();
}

namespace {

// What the name says. Sizes and times are asked for afterwards.
InputFile classified(const fs::path& path, TextDocuments text_documents) {
  InputFile file{path};
  file.compressed = is_one_of(path.extension().string(), {".gz", ".zst"});
  const std::string extension = unpacked_extension(file);
  if (is_one_of(extension, {".bz2", ".xz", ".lz4", ".zip", ".7z"})) {
    throw UserError(
        "cannot read {}: of compressed files only .gz and .zst are read; unpack it, or pass its lines through standard "
        "input, e.g. `xzcat FILE | llm-pretrain prepare --input - …`",
        path.string());
  }
  if (is_one_of(extension, {".parquet", ".arrow", ".feather", ".tar"})) {
    throw UserError(
        "cannot read {}: {} files are not read; turn it into JSON lines first, e.g. with DuckDB: "
        "duckdb -c \"COPY (SELECT text FROM '{}') TO 'part.jsonl.gz' (FORMAT json)\"",
        path.string(), extension, path.string());
  }
  if (!is_one_of(extension, {".jsonl", ".json", ".ndjson"})) {
    file.kind = text_documents == TextDocuments::files ? InputKind::text : InputKind::text_lines;
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) throw fs::filesystem_error("", path, {errno, std::generic_category()});
  if (!S_ISREG(info.st_mode)) {
    throw UserError("cannot read {}: it is no regular file; a stream goes through standard input, with --input -",
                    path.string());
  }
  // Now, and not when its turn comes, hours later.
  if (::access(path.c_str(), R_OK) != 0) throw fs::filesystem_error("", path, {errno, std::generic_category()});
  file.bytes = info.st_size;
  file.changed_ns = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
  return file;
}

std::vector<fs::path> files_below(const fs::path& folder, const std::string& output_prefix) {
  std::vector<std::string> ours;
  if (!output_prefix.empty()) {
    const std::string prefix = fs::absolute(output_prefix).lexically_normal().string();
    ours = {prefix + "_", prefix + ".preparing/", prefix + ".quarantine.jsonl"};
  }
  std::vector<fs::path> files;
  for (auto it = fs::recursive_directory_iterator(folder, fs::directory_options::follow_directory_symlink);
       it != fs::recursive_directory_iterator(); ++it) {
    if (it->path().filename().string().starts_with('.')) {
      if (it->is_directory()) it.disable_recursion_pending();
      continue;
    }
    if (!it->is_regular_file()) continue;
    const std::string absolute = fs::absolute(it->path()).lexically_normal().string();
    if (std::any_of(ours.begin(), ours.end(), [&](const std::string& name) { return absolute.starts_with(name); }))
      continue;
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

std::vector<InputFile> find_inputs(const std::vector<std::string>& inputs, const std::string& output_prefix,
                                   TextDocuments text_documents) {
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
      files.push_back({.path = "standard input", .kind = InputKind::standard_input});
      continue;
    }
    try {
      // One glob or folder may hold a file and links to it: the file is read once.
      std::set<fs::path> here;
      for (const fs::path& path : expand(input, output_prefix)) {
        const fs::path identity = fs::canonical(path);
        refuse_if_seen(path, identity);
        if (here.insert(identity).second) files.push_back(classified(path, text_documents));
      }
      seen.merge(here);
    } catch (const fs::filesystem_error& error) {
      throw UserError("cannot read {}: {}; mend its permissions, or leave it out",
                      error.path1().empty() ? input : error.path1().string(), error.code().message());
    }
  }
  return files;
}

std::vector<InputSlice> slices_of(const std::vector<InputFile>& files, const Partition& partition) {
  std::vector<InputSlice> slices;
  if (partition.count == 1 || partition.round_robin) {
    for (const InputFile& file : files) slices.push_back({file});
    return slices;
  }
  __int128 total = 0;
  for (const InputFile& file : files) total += file.bytes;
  const auto border = [&](int64_t i) { return static_cast<int64_t>(total * i / partition.count); };
  const int64_t begin = border(partition.index - 1), end = border(partition.index);
  int64_t start = 0;  // of the file, among the bytes of all
  for (const InputFile& file : files) {
    const int64_t stop = start + file.bytes;
    const bool lines = file.kind == InputKind::json_lines || file.kind == InputKind::text_lines;
    if (lines && !file.compressed) {
      if (start < end && stop > begin) {
        slices.push_back({file, std::max<int64_t>(begin - start, 0), end < stop ? end - start : 0});
      }
    } else if (begin <= start && start < end) {
      slices.push_back({file});
    }
    start = stop;
  }
  return slices;
}

std::string inputs_digest(const std::vector<InputFile>& files) {
  uint64_t digest = 0;
  for (const InputFile& file : files) {
    const std::string path = file.path.lexically_normal().string();
    digest = xxh3(fmt::format("{}|{}|{}|{}", static_cast<int>(file.kind), path, file.bytes, file.changed_ns), digest);
  }
  return hex64(digest);
}

std::string corpus_digest(const std::vector<InputFile>& files) {
  uint64_t digest = 0;
  for (const InputFile& file : files) {
    digest =
        xxh3(fmt::format("{}|{}|{}", static_cast<int>(file.kind), file.path.filename().string(), file.bytes), digest);
  }
  return hex64(digest);
}

}  // namespace longhaul
