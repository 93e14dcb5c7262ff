// Writes Megatron's indexed dataset (indexed_dataset.h), byte for byte as Megatron's own builder does.
//
// Everything goes to files in a temporary folder as it comes, so memory does not grow with the dataset. A writer
// that is not finalised leaves what stood there before, and never a pair that looks whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/token_type.h"

namespace longhaul {

class DatasetPieces;

class IndexedDatasetWriter {
 public:
  // `prefix` without extension. Throws EnvironmentError when the files can't be made.
  IndexedDatasetWriter(std::string prefix, TokenType type);
  ~IndexedDatasetWriter();
  IndexedDatasetWriter(const IndexedDatasetWriter&) = delete;
  IndexedDatasetWriter& operator=(const IndexedDatasetWriter&) = delete;

  // Appends one sequence to the document under way. Throws UserError for an id that the token type can't
  // hold.
  void add_sequence(std::span<const int32_t> tokens);
  // Ends the document. One without a sequence is an empty document: a border and nothing else.
  void end_document();

  // Appends whole documents: `tokens` of all sequences, one after another; `lengths` of each sequence, whose
  // sum must be the number of tokens; `documents`, the number of sequences of each document.
  void add_documents(std::span<const int32_t> tokens, std::span<const int32_t> lengths,
                     std::span<const int32_t> documents);

  // Appends all of another dataset, of the same token type and without modes. No document may be under way.
  void add_dataset(const IndexedDatasetReader& other);

  int64_t sequences() const;
  int64_t documents() const;
  int64_t tokens() const;

  // Makes both files durable in the temporary folder (what can still fail for want of space fails here), and
  // renames the .bin, then the .idx. No call may follow.
  void finalize();

 private:
  std::string prefix_;
  std::filesystem::path folder_;  // PREFIX.partial-<pid>, gone in the end
  std::unique_ptr<DatasetPieces> pieces_;
};

}  // namespace longhaul
