// Text to tokens: JSON lines and text files become Megatron's indexed datasets (indexed_dataset.h), byte for
// byte as Megatron's preprocess_data.py writes them, whatever the number of worker threads.
//
// Memory does not grow with the corpus. What is done is sealed every so many bytes in the folder
// OUTPUT_PREFIX.preparing: when a run is stopped, by whatever, the same call goes on from the last seal and comes to
// the same bytes.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "longhaul/data/partition.h"
#include "longhaul/data/sentence_splitter.h"

namespace longhaul {

// Appends the ids of one text to `ids`. Each worker thread has its own.
using EncodeFunction = std::function<void(std::string_view utf8, std::vector<int32_t>& ids)>;

// What `prepare` needs of a tokenizer.
struct PrepareTokenizer {
  // Makes the function for one worker; `add_special_tokens`: with what the tokenizer puts around a text (BOS,
  // …).
  std::function<EncodeFunction(bool add_special_tokens)> make_encoder;
  int64_t vocab_size = 0;  // with added tokens; decides between 2 and 4 bytes an id
  std::optional<int32_t> eod_id;
  std::string fingerprint;  // identifies the tokenizer; training compares it
  // How a token reads, for messages; ids alone are shown without it.
  std::function<std::string(int32_t id)> token_text;
};

enum class OnBadLine {
  fail,
  skip,
  quarantine,  // skip, and keep the line in OUTPUT_PREFIX.quarantine.jsonl with its place and what is wrong
};

// What a document is in plain text: a whole file, or each line that isn't blank.
enum class TextDocuments { files, lines };

struct PrepareOptions {
  // Files, globs and folders, or "-" for JSON lines from standard input. .jsonl, .json and .ndjson files hold
  // one JSON object a line; any other file is plain text (for the first of the keys). Each may be compressed
  // (.gz, .zst).
  std::vector<std::string> inputs;
  TextDocuments text_documents = TextDocuments::files;
  std::vector<std::string> json_keys{"text"};  // each makes a dataset, OUTPUT_PREFIX_KEY_document
  std::string output_prefix;                   // several partitions: OUTPUT_PREFIX_part2of8_KEY_document
  bool append_eod = false;                     // the end-of-document token after each document that has tokens
  bool add_special_tokens = true;
  // Cuts each text into sentences, each a sequence of its own, as the data of BERT and T5 need: the datasets are then
  // OUTPUT_PREFIX_KEY_sentence. The strings of a list count as sentences already.
  std::shared_ptr<const SentenceSplitter> sentences;
  int64_t workers = 0;  // threads that tokenise; 0: one a core
  OnBadLine on_bad_line = OnBadLine::fail;
  Partition partition;
  int64_t seal_bytes = int64_t{256} << 20;  // of text between two points from which a stopped run can go on
  bool overwrite = false;                   // replaces datasets that are there
  bool show_progress = true;
};

struct PreparedDataset {
  std::string key;
  std::string prefix;  // what training takes, e.g. OUTPUT_PREFIX_text_document
  int64_t documents = 0;
  int64_t sequences = 0;  // a document's text, or each of its sentences, that has tokens
  int64_t tokens = 0;
  int64_t empty = 0;       // documents without a token
  int64_t longest = 0;     // tokens in the longest document
  int32_t largest_id = 0;  // of all tokens
  int64_t text_bytes = 0;  // of UTF-8 that were tokenised
  // Documents that have n tokens, by the number of binary digits of n: [0] none, [1] one token, [2] 2 or 3, …
  std::array<int64_t, 33> lengths{};
  // Documents whose text had been there before. Exact up to 2^20 different documents; beyond, an estimate from
  // those whose 64-bit hash falls into a share of all hashes.
  int64_t duplicates = 0;
  double duplicates_share = 1;  // of the hashes that were counted; 1: exact
};

struct PrepareReport {
  // The datasets were there before, made of the same files with the same options: of `datasets`, only key, prefix,
  // documents and tokens are known, and of the rest only `files`.
  bool already_there = false;
  std::vector<PreparedDataset> datasets;  // one a key
  int64_t files = 0;
  int64_t bytes = 0;          // of input, as it lies on the disk
  int64_t bad_lines = 0;      // that were skipped
  std::string quarantine;     // the file that holds them; empty when none was made
  double seconds = 0;         // of this run
  int64_t resumed_bytes = 0;  // of `bytes`, done by the runs that it went on from
};

// Writes the datasets and, beside each, what training checks (prepared_info.h). Nothing appears, and nothing
// that stood there changes, before all documents are tokenised. The same call once more does nothing. Throws UserError
// for bad input (naming file, line and byte) and for datasets that are there and were made otherwise, unless
// `overwrite`; EnvironmentError when the output can't be written.
PrepareReport prepare(const PrepareOptions& options, const PrepareTokenizer& tokenizer);

}  // namespace longhaul
