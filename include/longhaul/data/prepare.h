// Text to tokens: JSON lines and text files become Megatron's indexed datasets (indexed_dataset.h), byte for
// byte as Megatron's preprocess_data.py writes them, whatever the number of worker threads.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
};

enum class OnBadLine { fail, skip };

struct PrepareOptions {
  // Files, globs and folders, or "-" for JSON lines from standard input. .jsonl, .json and .ndjson files hold
  // one JSON object a line; any other file is one document of plain text (for the first of the keys).
  std::vector<std::string> inputs;
  std::vector<std::string> json_keys{"text"};  // each makes a dataset, OUTPUT_PREFIX_KEY_document
  std::string output_prefix;
  bool append_eod = false;  // the end-of-document token after each document that has tokens
  bool add_special_tokens = true;
  int64_t workers = 0;  // threads that tokenise; 0: one a core
  OnBadLine on_bad_line = OnBadLine::fail;
  bool show_progress = true;
};

struct PreparedDataset {
  std::string key;
  std::string prefix;  // what training takes, e.g. OUTPUT_PREFIX_text_document
  int64_t documents = 0;
  int64_t tokens = 0;
  int64_t empty = 0;       // documents without a token
  int64_t longest = 0;     // tokens in the longest document
  int32_t largest_id = 0;  // of all tokens
};

struct PrepareReport {
  std::vector<PreparedDataset> datasets;  // one a key
  int64_t files = 0;
  int64_t bytes = 0;      // of input
  int64_t bad_lines = 0;  // that were skipped
  double seconds = 0;
};

// Writes the datasets and, beside each, what training checks (prepared_info.h). Nothing appears, and nothing
// that stood there changes, before all documents are tokenised. Throws UserError for bad input (naming file,
// line and byte) and EnvironmentError when the output can't be written.
PrepareReport prepare(const PrepareOptions& options, const PrepareTokenizer& tokenizer);

}  // namespace longhaul
