#include "data/index_cache.h"

#include <sys/stat.h>

#include <chrono>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "data/md5.h"
#include "longhaul/core/error.h"
#include "longhaul/core/hash.h"
#include "longhaul/core/json_text.h"
#include "longhaul/core/log.h"
#include "longhaul/core/path_lock.h"
#include "longhaul/core/progress.h"
#include "longhaul/data/indexed_dataset.h"

namespace longhaul {
namespace {

constexpr int64_t kWorthTelling = int64_t{1} << 30;  // bytes of an order that is about to be built

std::filesystem::path file_of(const IndexCacheEntry& entry, std::string_view suffix) {
  return entry.folder / fmt::format("{}-{}-{}", md5_hex(entry.description), entry.name, suffix);
}

std::filesystem::path array_file(const IndexCacheEntry& entry, const IndexShape& shape) {
  return file_of(entry, shape.name + ".npy");
}

// `checksums` of the arrays, in the order of the shapes.
std::string source_text(const IndexCacheEntry& entry, const std::vector<std::string>& checksums) {
  nlohmann::ordered_json source = entry.source;
  for (size_t i = 0; i < checksums.size(); ++i) source[entry.shapes[i].name + "_xxh3"] = checksums[i];
  return json_text(source, 2) + "\n";
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
    const int64_t rows = shape.rows.value_or(array.rows());
    if (array.type() != shape.type || array.rows() != rows || array.columns() != shape.columns) {
      throw UserError("{} does not fit the dataset: {} x {} elements where {} x {} are due", file.string(),
                      array.rows(), array.columns(), rows, shape.columns);
    }
  }
  const std::filesystem::path source = file_of(entry, "source.json");
  if (std::filesystem::exists(source)) {
    std::vector<std::string> checksums;
    for (const IndexArray& array : arrays) checksums.push_back(hex64(xxh3(array.bytes())));
    if (read_text(source) != source_text(entry, checksums)) {
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

// make_writer(shape, rows) is where an array goes.
template <typename MakeWriter>
std::vector<IndexArray> build(const IndexCacheEntry& entry, const MakeWriter& make_writer,
                              std::vector<std::string>& checksums) {
  const auto start = std::chrono::steady_clock::now();
  std::vector<IndexArrayWriter> writers;
  int64_t bytes = 0;
  for (const IndexShape& shape : entry.shapes) {
    const int64_t rows = shape.rows ? *shape.rows : entry.count_rows();
    bytes += rows * shape.columns * index_array_bytes(shape.type);
    writers.push_back(make_writer(shape, rows));
  }
  if (bytes >= kWorthTelling)
    log::info("building the order of {}: {} in {}", entry.what, format_bytes(static_cast<double>(bytes)),
              entry.folder.string());
  entry.build(writers);
  std::vector<IndexArray> arrays;
  for (IndexArrayWriter& writer : writers) {
    arrays.push_back(writer.finish());
    checksums.push_back(writer.checksum());
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  log::info("built the order of {}, {:.2f} s", entry.what, seconds);
  return arrays;
}

std::vector<IndexArray> build_in_folder(const IndexCacheEntry& entry) {
  // Whoever looks now finds nothing, and not a mixture of old and new arrays.
  std::filesystem::remove(file_of(entry, "description.txt"));
  std::vector<std::string> checksums;
  const auto in_file = [&](const IndexShape& shape, int64_t rows) {
    return IndexArrayWriter(array_file(entry, shape), shape.type, rows, shape.columns);
  };
  std::vector<IndexArray> arrays = build(entry, in_file, checksums);
  write_text(file_of(entry, "source.json"), source_text(entry, checksums));
  write_text(file_of(entry, "description.txt"), entry.description);
  return arrays;
}

std::vector<IndexArray> build_in_memory(const IndexCacheEntry& entry) {
  std::vector<std::string> unused;
  return build(
      entry, [](const IndexShape& shape, int64_t rows) { return IndexArrayWriter(shape.type, rows, shape.columns); },
      unused);
}

// What is in the cache; nothing where it has to be built, which `tell` says why.
std::optional<std::vector<IndexArray>> try_load(const IndexCacheEntry& entry, bool tell) {
  std::error_code ignored;
  if (!std::filesystem::exists(file_of(entry, "description.txt"), ignored)) return std::nullopt;
  try {
    return load(entry);
  } catch (const UserError& error) {
    if (tell) log::info("the cached order of {} is built anew: {}", entry.what, error.what());
    return std::nullopt;
  }
}

void warn_unwritable(const std::filesystem::path& folder, const Error& error) {
  static std::mutex mutex;
  static std::set<std::filesystem::path> warned;
  const std::lock_guard lock(mutex);
  if (!warned.insert(folder).second) return;
  log::warning_here(
      "the order of the samples is not cached, and is built in memory at each start: {}. Set data.cache_dir "
      "to a folder that can be written",
      error.what());
}

}  // namespace

void use_as_source(IndexCacheEntry& entry, const IndexedDatasetReader& reader) {
  const std::string idx = reader.prefix() + ".idx";
  entry.source_modified_ns = modified(idx);
  entry.source = {{"idx_bytes", std::filesystem::file_size(idx)}, {"idx_modified_ns", entry.source_modified_ns}};
}

std::vector<IndexArray> load_or_build(const IndexCacheEntry& entry) {
  if (auto arrays = try_load(entry, false)) return *std::move(arrays);
  try {
    make_folder(entry.folder);
    const std::filesystem::path lock = file_of(entry, "lock");
    std::optional<PathLock> turn;
    while (!(turn = PathLock::try_transient(lock))) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      // Whoever builds it is done: all that have waited load it at once.
      if (is_locked(lock)) continue;
      if (auto arrays = try_load(entry, false)) return *std::move(arrays);
    }
    if (auto arrays = try_load(entry, true)) return *std::move(arrays);  // somebody else has built it meanwhile
    return build_in_folder(entry);
  } catch (const EnvironmentError& error) {
    warn_unwritable(entry.folder, error);
  }
  return build_in_memory(entry);
}

void check_index_entry(std::string_view array, int64_t value, int64_t begin, int64_t end) {
  if (value >= begin && value < end) return;
  throw UserError("its {} is damaged: it has the entry {}, outside [{}, {})", array, value, begin, end);
}

}  // namespace longhaul
