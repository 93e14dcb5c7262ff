// What a worker thread does with a block of input: its documents as token ids, for each key.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "data/prepare/block_reader.h"
#include "longhaul/data/prepare.h"

namespace longhaul {

// The documents of a block under one key, in the form that DatasetPieces::add_documents takes.
struct TokenizedKey {
  std::vector<int32_t> tokens;
  std::vector<int32_t> lengths;    // of each sequence
  std::vector<int32_t> documents;  // sequences of each document
  std::vector<uint64_t> hashes;    // of the texts of the documents that have tokens
  PreparedDataset counts;          // of this block alone: all but key, prefix and duplicates
};

// What is wrong with a line or a text file that was passed over.
struct BadLine {
  LinePlace place;
  std::string reason;
  std::string raw;  // the line; empty for a file, which stays where it is
};

struct TokenizedBlock {
  std::vector<TokenizedKey> keys;
  std::vector<BadLine> bad_lines;
  int64_t bytes = 0;  // of input
  int64_t text_bytes = 0;
  InputPosition after;
};

class BlockTokenizer {
 public:
  struct Options {
    std::vector<std::string> keys;
    std::shared_ptr<const SentenceSplitter> sentences;  // null: a text is one sequence
    std::optional<int32_t> eod_id;                      // appended to each document that has tokens
    OnBadLine on_bad_line = OnBadLine::fail;
    Partition partition;
    int64_t most_tokens = std::numeric_limits<int32_t>::max();  // of a sequence
  };
  BlockTokenizer(EncodeFunction encode, Options options);

  // Throws UserError for the first bad line when these are not passed over.
  void tokenize(const TextBlock& block, TokenizedBlock& out);

 private:
  void add_text_file(const TextBlock& block, TokenizedBlock& out);
  void add_line(const TextBlock& block, const LinePlace& place, std::string_view line, TokenizedBlock& out);
  std::optional<std::string> add_document(TokenizedBlock& out);
  std::optional<std::string> add_text(std::string_view text, TokenizedKey& key);
  void add_bad(const LinePlace& place, std::string reason, std::string_view raw, TokenizedBlock& out) const;

  EncodeFunction encode_;
  Options options_;
  JsonLineReader json_;
  KeyTexts texts_;                           // of the document at hand
  std::vector<std::string_view> sentences_;  // of a text of it
};

}  // namespace longhaul
