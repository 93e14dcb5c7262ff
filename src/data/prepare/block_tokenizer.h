// What a worker thread does with a block of input: its documents as token ids, for each key.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/prepare/block_reader.h"
#include "longhaul/data/prepare.h"

namespace longhaul {

// The documents of a block under one key, in the form that IndexedDatasetWriter::add_documents takes.
struct TokenizedKey {
  std::vector<int32_t> tokens;
  std::vector<int32_t> lengths;    // of each sequence
  std::vector<int32_t> documents;  // sequences of each document
};

struct TokenizedBlock {
  std::vector<TokenizedKey> keys;
  int64_t bytes = 0;                   // of input
  std::vector<std::string> bad_lines;  // what is wrong with each line that was skipped
};

class BlockTokenizer {
 public:
  // `eod_id` is appended to each document that has tokens, if given.
  BlockTokenizer(EncodeFunction encode, std::vector<std::string> keys, std::optional<int32_t> eod_id,
                 OnBadLine on_bad_line);

  // Throws UserError for the first bad line when these are not skipped.
  void tokenize(const TextBlock& block, TokenizedBlock& out);

 private:
  void add_text_file(const TextBlock& block, TokenizedBlock& out);
  void add_line(const LinePlace& place, std::string_view line, TokenizedBlock& out);
  void add_document(const KeyTexts& texts, TokenizedBlock& out);
  void complain(std::string problem, TokenizedBlock& out) const;

  EncodeFunction encode_;
  std::vector<std::string> keys_;
  std::optional<int32_t> eod_id_;
  OnBadLine on_bad_line_;
  KeyTexts texts_;  // of the line at hand
};

}  // namespace longhaul
