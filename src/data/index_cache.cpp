#include "data/index_cache.h"

#include <sys/stat.h>

#include <chrono>
#include <mutex>
#include <set>

#include "data/md5.h"
#include "longhaul/core/error.h"
#include "longhaul/core/hash.h"
#include "longhaul/core/log.h"

namespace longhaul {
namespace {

std::filesystem::path file_of(const IndexCacheEntry& entry, std::string_view suffix) {
  return entry.folder / fmt::format("{}-{}-{}-{}", md5_hex(entry.description), entry.dataset_class,
                                    split_name(entry.split), suffix);
}

std::filesystem::path array_file(const IndexCacheEntry& entry, const IndexShape& shape) {
  return file_of(entry, shape.name + ".npy");
}

std::string source_text(const IndexCacheEntry& entry, const std::vector<IndexArray>& arrays) {
  nlohmann::ordered_json source = entry.source;
  for (size_t i = 0; i < arrays.size(); ++i) source[entry.shapes[i].name + "_xxh3"] = hex64(xxh3(arrays[i].bytes()));
  return source.dump(2) + "\n";
}

// Nanoseconds since 1970 at which the file was last written.
int64_t modified(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) throw UserError("cannot read {}", file.string());
  return info.st_mtim.tv_sec * int64_t{1'000'000'000} + info.st_mtim.tv_nsec;
}

// Throws UserError, with the reason, when what is there can't be used.
std::vector<IndexArray> load(const IndexCacheEntry& entry) {
  std::vector<IndexArray> arrays;
  for (const IndexShape& shape : entry.shapes) {
    const std::filesystem::path file = array_file(entry, shape);
    const IndexArray& array = arrays.emplace_back(IndexArray::load(file));
    if (array.type() != shape.type || array.rows() != shape.rows || array.columns() != shape.columns) {
      throw UserError("{} does not fit the dataset: {} x {} elements where {} x {} are due", file.string(), array.rows(),
                      array.columns(), shape.rows, shape.columns);
    }
  }
  const std::filesystem::path source = file_of(entry, "source.json");
  if (std::filesystem::exists(source)) {
    if (read_text(source) != source_text(entry, arrays)) {
      throw UserError("{} names another state of {}, or the arrays are damaged", source.string(), entry.what);
    }
    return arrays;
  }
  // Written by Megatron, which keeps no record of the source.
  const std::filesystem::path description = file_of(entry, "description.txt");
  if (modified(description) < entry.source_modified_ns) {
    throw UserError("{} is older than the data", description.string());
  }
  entry.check_entries(arrays);
  return arrays;
}

void store(const IndexCacheEntry& entry, const std::vector<IndexArray>& arrays) {
  make_folder(entry.folder);
  for (size_t i = 0; i < arrays.size(); ++i) arrays[i].save(array_file(entry, entry.shapes[i]));
  write_text(file_of(entry, "source.json"), source_text(entry, arrays));
  write_text(file_of(entry, "description.txt"), entry.description);
}

void warn_unwritable(const std::filesystem::path& folder, const Error& error) {
  static std::set<std::filesystem::path> warned;
  if (!warned.insert(folder).second) return;
  log::warning(
      "the order of the samples is not cached, and is built in memory at each start: {}. Set data.cache_dir "
      "to a folder that can be written",
      error.what());
}

}  // namespace

std::vector<IndexArray> load_or_build(const IndexCacheEntry& entry) {
  // Ranks that are threads of one process take turns: the first builds, the others load.
  static std::mutex turn;
  const std::lock_guard lock(turn);
  std::error_code ignored;
  if (std::filesystem::exists(file_of(entry, "description.txt"), ignored)) {
    try {
      return load(entry);
    } catch (const UserError& error) {
      log::info("the cached order of {} ({}) is built anew: {}", entry.what, split_name(entry.split), error.what());
    }
  }
  const auto start = std::chrono::steady_clock::now();
  std::vector<IndexArray> arrays = entry.build();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  log::info("built the order of {} ({}), {:.2f} s", entry.what, split_name(entry.split), seconds);
  try {
    store(entry, arrays);
  } catch (const EnvironmentError& error) {
    warn_unwritable(entry.folder, error);
  }
  return arrays;
}

void check_index_entry(std::string_view array, int64_t value, int64_t begin, int64_t end) {
  if (value >= begin && value < end) return;
  throw UserError("its {} is damaged: it has the entry {}, outside [{}, {})", array, value, begin, end);
}

}  // namespace longhaul
