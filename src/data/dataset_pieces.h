// An indexed dataset (indexed_dataset.h) while it is being written, in memory that does not grow with it: the ids,
// the lengths of the sequences and the borders of the documents go to files of their own, STEM.bin, STEM.lengths
// (i32) and STEM.borders (i64). The .idx needs the number of sequences first, so it is put together at the end.
//
// A later process can go on where the pieces were last made durable: what was written after that is cut off.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "longhaul/core/append_file.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/token_type.h"

namespace longhaul {

struct DatasetSizes {
  int64_t sequences = 0;
  int64_t documents = 0;
  int64_t tokens = 0;
};

class DatasetPieces {
 public:
  // Makes the files, or goes on with those that are there after the first `start` of what they hold. Throws
  // EnvironmentError when they hold less, or can't be written.
  DatasetPieces(std::filesystem::path stem, TokenType type, DatasetSizes start = {});

  // As in IndexedDatasetWriter.
  void add_sequence(std::span<const int32_t> tokens);
  void end_document();
  void add_documents(std::span<const int32_t> tokens, std::span<const int32_t> lengths,
                     std::span<const int32_t> documents);
  void add_dataset(const IndexedDatasetReader& other);

  const DatasetSizes& sizes() const { return sizes_; }

  // Makes everything up to here durable.
  void sync();
  // Writes STEM.idx from the pieces and makes it durable, too. May be repeated.
  void write_index();

  std::filesystem::path bin() const { return bin_.path(); }
  std::filesystem::path idx() const;

 private:
  void append_tokens(std::span<const int32_t> tokens);

  std::filesystem::path stem_;
  TokenType type_;
  AppendFile bin_;
  AppendFile lengths_;
  AppendFile borders_;
  DatasetSizes sizes_;
  int64_t ended_sequences_;  // those of ended documents
  std::vector<std::byte> narrowed_;
};

}  // namespace longhaul
