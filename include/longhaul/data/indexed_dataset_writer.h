// Writes Megatron's indexed dataset (indexed_dataset.h), byte for byte as Megatron's own builder does.
//
// Ids go to the .bin as they come; 12 bytes a sequence and 8 a document stay in memory until `finalize`
// writes the .idx. Until then both files live under temporary names: a run that stops half-way leaves what
// stood there before, and never a pair that looks whole.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "longhaul/core/file.h"
#include "longhaul/data/token_type.h"

namespace longhaul {

class IndexedDatasetWriter {
 public:
  // `prefix` without extension. Throws EnvironmentError when the file can't be made.
  IndexedDatasetWriter(std::string prefix, TokenType type);

  // Appends one sequence to the document under way. Throws UserError for an id that the token type can't
  // hold.
  void add_sequence(std::span<const int32_t> tokens);
  // Ends the document. One without a sequence is an empty document: a border and nothing else.
  void end_document();

  // Appends whole documents: `tokens` of all sequences, one after another; `lengths` of each sequence, whose
  // sum must be the number of tokens; `documents`, the number of sequences of each document.
  void add_documents(std::span<const int32_t> tokens, std::span<const int32_t> lengths,
                     std::span<const int32_t> documents);

  int64_t sequences() const { return static_cast<int64_t>(lengths_.size()); }
  int64_t documents() const { return static_cast<int64_t>(borders_.size()) - 1; }
  int64_t tokens() const { return tokens_; }

  // Writes the index and makes both files durable under their temporary names: what can still fail for want
  // of space fails here. Only `finalize` may follow.
  void seal();
  // Seals, unless that was done, and renames the .bin, then the .idx. No call may follow.
  void finalize();

 private:
  void append_tokens(std::span<const int32_t> tokens);
  void flush();

  std::string prefix_;
  TokenType type_;
  AtomicFile bin_;
  AtomicFile idx_;
  std::vector<std::byte> buffer_;
  std::vector<int32_t> lengths_;
  std::vector<int64_t> borders_{0};
  int64_t tokens_ = 0;
  bool sealed_ = false;
};

}  // namespace longhaul
