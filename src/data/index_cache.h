// Keeps the arrays of a dataset's order between runs, under Megatron's file names and in its formats, so that either
// program finds what the other built.
//
//   FOLDER/<md5 of the description>-<name>-<array>.npy     one file an array; the name is "GPTDataset-train", for
//   example
//                                         -source.json
//                                         -description.txt
//                                         -lock              while it is built, and no longer
//
// source.json is Longhaul's own: what the order was built from, and checksums of the arrays. The description is written
// last and every file appears by a rename, so whoever finds it finds all.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/index_array.h"
#include "data/index_array_writer.h"

namespace longhaul {

class IndexedDatasetReader;

// An array as the dataset needs it.
struct IndexShape {
  std::string name;  // "document_index"
  IndexArray::Type type;
  std::optional<int64_t> rows;  // none: only building tells
  int64_t columns = 1;
};

struct IndexCacheEntry {
  std::filesystem::path folder;
  std::string name;  // Megatron's class and, for most classes, the split
  std::string description;
  std::string what;  // whose order this is, for the log
  std::vector<IndexShape> shapes;
  nlohmann::ordered_json source = nlohmann::ordered_json::object();  // the state of the files that the order is of
  int64_t source_modified_ns = 0;                                    // when they were last written; 0: there are none
  // Throws UserError where entries can't be right: for arrays without checksums, which Megatron wrote.
  std::function<void(const std::vector<IndexArray>&)> check_entries;
  // The rows of the shape that leaves them open; called before `build`, for which it may prepare.
  std::function<int64_t()> count_rows;
  // Appends all elements of the arrays, which are those of `shapes`.
  std::function<void(std::span<IndexArrayWriter>)> build;
};

// Makes the .idx the file that the order is of.
void use_as_source(IndexCacheEntry& entry, const IndexedDatasetReader& reader);

// Loads the arrays from the cache, or builds and stores them there. Of several processes and threads that ask for the
// same at once one builds, and the others wait; different ones are built side by side, in one folder, too. What doesn't
// match the entry or is damaged is built anew, with a line in the log. A folder that can't be written is a warning,
// once: the arrays then live in memory alone.
std::vector<IndexArray> load_or_build(const IndexCacheEntry& entry);

// For check_entries: throws UserError where `value` is outside [begin, end).
void check_index_entry(std::string_view array, int64_t value, int64_t begin, int64_t end);

}  // namespace longhaul
