// Text to token ids and back, for tokenizers in the format of Hugging Face's `tokenizer.json`: every model
// (BPE, Unigram, WordPiece, WordLevel) and every component that the `tokenizers` library 0.23 has. The ids are
// those that this library gives, apart from characters so new that the two sides' Unicode versions differ
// about them. What the library leaves to chance is refused: BPE with dropout.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul {

namespace tokenizer {
struct Pipeline;
}
class EncodeScratch;

// A token and the part of the text that it stands for, [begin, end), in bytes and in characters; nothing (0 to
// 0) for a special token that was put around the text. Bytes that are no UTF-8 are one character where one
// U+FFFD stands for them.
struct TokenPlace {
  int32_t id;
  size_t begin_byte;
  size_t end_byte;
  size_t begin_character;
  size_t end_character;
};

class Tokenizer {
 public:
  // Reads `tokenizer.json` in a checkpoint's folder (where there is none, SentencePiece's `tokenizer.model` or
  // `spiece.model`) and, for the ids of the special tokens,
  // `tokenizer_config.json`, `special_tokens_map.json`, `generation_config.json` and `config.json` where they
  // exist. Which special tokens a text gets is up to `tokenizer.json` alone, as in `transformers` 5; where
  // the "add_bos_token" or "add_eos_token" of `tokenizer_config.json` says otherwise, a warning tells. Throws
  // UserError when a file is missing, damaged, or asks for something that Longhaul can't do.
  static std::shared_ptr<const Tokenizer> from_folder(const std::filesystem::path& folder);
  // Reads one `tokenizer.json`. The special ids are unknown then.
  static std::shared_ptr<const Tokenizer> from_file(const std::filesystem::path& tokenizer_json);

  ~Tokenizer();
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // The ids of a text in UTF-8; what is no UTF-8 counts as U+FFFD. `add_special_tokens`: with those that the
  // tokenizer puts around a text (the <s> of Llama, for example). Thread-safe.
  std::vector<int32_t> encode(std::string_view text, bool add_special_tokens = true) const;
  // The same, appended to `ids`, with the caller's memory: for many texts, one EncodeScratch a thread.
  void encode(std::string_view text, bool add_special_tokens, std::vector<int32_t>& ids, EncodeScratch& scratch) const;

  // The ids together with their places in `text`, which are those that the `tokenizers` library gives: several
  // tokens of one character all have its place, for example. For looking at texts; many times slower than
  // `encode`.
  std::vector<TokenPlace> encode_with_offsets(std::string_view text, bool add_special_tokens = true) const;

  // The text of `ids`; bytes that are no UTF-8 become U+FFFD, ids without a token are passed over.
  // `skip_special_tokens` leaves out the special ones. Thread-safe. For one id at a time see StreamDecoder.
  std::string decode(std::span<const int32_t> ids, bool skip_special_tokens = false) const;

  // The highest id, of added tokens too, plus one: how many rows an embedding needs at least.
  int64_t vocab_size() const;
  std::optional<int32_t> token_to_id(std::string_view token) const;
  bool has_token(int32_t id) const;
  // The token as it stands in `tokenizer.json`. Throws UserError when no token has this id.
  std::string id_to_token(int32_t id) const;

  std::optional<int32_t> bos_id() const { return bos_id_; }
  std::optional<int32_t> eos_id() const { return eos_id_; }
  std::optional<int32_t> pad_id() const { return pad_id_; }

  // XXH3 of the bytes of `tokenizer.json`: equal for two data sets that may be mixed.
  uint64_t fingerprint() const { return fingerprint_; }

 private:
  friend class EncodeScratch;
  friend class StreamDecoder;
  struct ScratchPool;

  Tokenizer(std::unique_ptr<const tokenizer::Pipeline> pipeline, uint64_t fingerprint);

  std::unique_ptr<const tokenizer::Pipeline> pipeline_;
  std::unique_ptr<ScratchPool> pool_;
  uint64_t fingerprint_ = 0;
  std::optional<int32_t> bos_id_;
  std::optional<int32_t> eos_id_;
  std::optional<int32_t> pad_id_;
};

// Buffers and a cache of words, 2 MiB or so. Belongs to the tokenizer that it was made for, which must
// outlive it; used by one thread at a time.
class EncodeScratch {
 public:
  explicit EncodeScratch(const Tokenizer& tokenizer);
  ~EncodeScratch();
  EncodeScratch(EncodeScratch&&) noexcept;
  EncodeScratch& operator=(EncodeScratch&&) noexcept;

 private:
  friend class Tokenizer;
  struct Buffers;
  std::unique_ptr<Buffers> buffers_;
};

}  // namespace longhaul
