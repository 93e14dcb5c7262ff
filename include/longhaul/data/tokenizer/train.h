// Training tokenizers: byte-level BPE, whose merges are those that the BpeTrainer of the `tokenizers` library
// finds in the same texts, and Unigram.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace longhaul {

enum class TokenizerKind { bpe, unigram };
// How byte-level BPE cuts texts into words before anything else.
enum class WordPattern { gpt2, llama3, qwen2 };

struct TrainTokenizerOptions {
  // Files, globs and folders, as for `prepare`; the lines of files that hold no JSON are texts.
  std::vector<std::string> inputs;
  std::string key = "text";  // where in a JSON line the text is
  TokenizerKind kind = TokenizerKind::bpe;
  int64_t vocab_size = 32000;  // special tokens and the alphabet included
  WordPattern pattern = WordPattern::llama3;
  int64_t min_frequency = 2;                // BPE: a pair that is rarer is not merged
  std::vector<std::string> special_tokens;  // get the first ids; none: <|endoftext|>, or <unk> <s> </s>
  int64_t threads = 0;                      // 0: one a core
  bool show_progress = true;
};

struct TrainTokenizerReport {
  int64_t texts = 0;
  int64_t bytes = 0;
  int64_t words = 0;   // different ones
  int64_t tokens = 0;  // of the vocabulary; fewer than wanted where the texts have no more
  double seconds = 0;
};

// Writes tokenizer.json and tokenizer_config.json into `folder`. Throws UserError when an input can't be read,
// a line is no JSON, or the vocabulary is too small for its alphabet.
TrainTokenizerReport train_tokenizer(const TrainTokenizerOptions& options, const std::filesystem::path& folder);

}  // namespace longhaul
