#include "data/index_cache.h"

#include <sys/stat.h>

#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "data/md5.h"
#include "longhaul/core/error.h"
#include "longhaul/core/hash.h"
#include "longhaul/core/log.h"
#include "longhaul/data/indexed_dataset.h"

namespace longhaul {
namespace {

using Json = nlohmann::ordered_json;

struct CacheFiles {
  std::filesystem::path documents, samples, shuffle, source, description;
};

CacheFiles cache_files(const std::filesystem::path& folder, const std::string& text, Split split) {
  const std::string base = fmt::format("{}-GPTDataset-{}-", md5_hex(text), split_name(split));
  return {folder / (base + "document_index.npy"), folder / (base + "sample_index.npy"),
          folder / (base + "shuffle_index.npy"), folder / (base + "source.json"),
          folder / (base + "description.txt")};
}

// Nanoseconds since 1970 at which the file was last written.
int64_t modified(const std::filesystem::path& file) {
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) throw UserError("cannot read {}", file.string());
  return info.st_mtim.tv_sec * int64_t{1'000'000'000} + info.st_mtim.tv_nsec;
}

std::string source_text(const IndexedDatasetReader& reader, const GptIndex& index) {
  const std::filesystem::path idx = reader.prefix() + ".idx";
  return Json{{"idx_bytes", std::filesystem::file_size(idx)},
              {"idx_modified_ns", modified(idx)},
              {"document_index_xxh3", hex64(xxh3(index.documents.bytes()))},
              {"sample_index_xxh3", hex64(xxh3(index.samples.bytes()))},
              {"shuffle_index_xxh3", hex64(xxh3(index.shuffle.bytes()))}}
             .dump(2) +
         "\n";
}

void check_shape(const std::filesystem::path& file, const IndexArray& array, IndexArray::Type type,
                 int64_t rows, int64_t columns) {
  if (array.type() != type || array.rows() != rows || array.columns() != columns) {
    throw UserError("{} does not fit the dataset: {} x {} elements where {} x {} are due", file.string(),
                    array.rows(), array.columns(), rows, columns);
  }
}

// Every entry within bounds: for arrays that carry no checksum.
void check_entries(const CacheFiles& files, const GptIndex& index, const SequenceRange& sequences) {
  const auto check = [](const std::filesystem::path& file, int64_t value, int64_t begin, int64_t end) {
    if (value < begin || value >= end) {
      throw UserError("{} is damaged: it has the entry {}, outside [{}, {})", file.string(), value, begin,
                      end);
    }
  };
  for (int64_t i = 0; i < index.documents.rows(); ++i) {
    check(files.documents, index.documents[i], sequences.begin, sequences.end);
  }
  for (int64_t i = 0; i < index.samples.rows(); ++i) {
    check(files.samples, index.samples[2 * i], i == 0 ? 0 : index.samples[2 * i - 2], index.documents.rows());
  }
  for (int64_t i = 0; i < index.shuffle.rows(); ++i)
    check(files.shuffle, index.shuffle[i], 0, index.shuffle.rows());
}

// Throws UserError, with the reason, when what is there can't be used.
GptIndex load(const CacheFiles& files, const IndexedDatasetReader& reader, const GptOrder& order,
              const EpochPlan& plan) {
  GptIndex index;
  index.documents = IndexArray::load(files.documents);
  index.samples = IndexArray::load(files.samples);
  index.shuffle = IndexArray::load(files.shuffle);
  check_shape(files.documents, index.documents, IndexArray::Type::int32,
              plan.epochs * order.sequences.count(), 1);
  check_shape(files.samples, index.samples, sample_index_type(order, plan), plan.samples + 1, 2);
  check_shape(files.shuffle, index.shuffle, shuffle_index_type(plan), plan.samples, 1);
  if (std::filesystem::exists(files.source)) {
    if (read_text(files.source) != source_text(reader, index)) {
      throw UserError("{} names another state of {}.idx, or the arrays are damaged", files.source.string(),
                      reader.prefix());
    }
    return index;
  }
  // Written by Megatron, which keeps no record of the source.
  if (modified(files.description) < modified(reader.prefix() + ".idx")) {
    throw UserError("{} is older than {}.idx", files.description.string(), reader.prefix());
  }
  check_entries(files, index, order.sequences);
  return index;
}

void store(const CacheFiles& files, const IndexedDatasetReader& reader, const GptIndex& index,
           const std::string& text) {
  index.documents.save(files.documents);
  index.samples.save(files.samples);
  index.shuffle.save(files.shuffle);
  write_text(files.source, source_text(reader, index));
  write_text(files.description, text);
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

GptIndex load_or_build_index(const IndexedDatasetReader& reader, const GptDescription& description,
                             const GptOrder& order, const EpochPlan& plan,
                             const std::filesystem::path& folder) {
  // Ranks that are threads of one process take turns: the first builds, the others load.
  static std::mutex turn;
  const std::lock_guard lock(turn);
  const std::string text = describe(description, order);
  const CacheFiles files = cache_files(folder, text, description.index_split);
  std::error_code ignored;
  if (std::filesystem::exists(files.description, ignored)) {
    try {
      return load(files, reader, order, plan);
    } catch (const UserError& error) {
      log::info("the cached order of {} ({}) is built anew: {}", reader.prefix(),
                split_name(description.index_split), error.what());
    }
  }
  const auto start = std::chrono::steady_clock::now();
  GptIndex index = build_gpt_index(reader, order, plan);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  log::info("built the order of {} ({}): {} samples in {} epochs, {:.2f} s", reader.prefix(),
            split_name(description.index_split), plan.samples, plan.epochs, seconds);
  try {
    make_folder(folder);
    store(files, reader, index, text);
  } catch (const EnvironmentError& error) {
    warn_unwritable(folder, error);
  }
  return index;
}

}  // namespace longhaul
