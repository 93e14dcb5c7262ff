#include "data/tokenizer/bpe.h"

#include <array>

#include "data/tokenizer/bpe_merger.h"
#include "data/tokenizer/byte_level.h"
#include "data/tokenizer/unicode.h"
#include "data/tokenizer/word_cache.h"
#include "longhaul/core/error.h"

namespace longhaul::tokenizer {
namespace {

constexpr std::string_view kMetaspace = "\xE2\x96\x81";  // ▁

struct BpeScratch : ModelScratch {
  WordCache cache;
  BpeMerger merger;
  std::string letters;
};

class Bpe : public Model {
 public:
  explicit Bpe(BpeConfig config) : config_(std::move(config)), char_ids_(0x10000, -1) {
    byte_ids_.fill(-1);
    if (config_.unknown_token) unknown_id_ = config_.vocabulary.find(*config_.unknown_token);
    std::string token;
    for (char32_t c = 0; c < char_ids_.size(); ++c) {
      token.clear();
      append_utf8(token, c);
      char_ids_[c] = config_.vocabulary.find(token);
    }
    for (int byte = 0; config_.byte_fallback && byte < 256; ++byte) {
      byte_ids_[byte] = config_.vocabulary.find(fmt::format("<0x{:02X}>", byte));
    }
  }

  std::unique_ptr<ModelScratch> make_scratch() const override { return std::make_unique<BpeScratch>(); }
  const Vocabulary& vocabulary() const override { return config_.vocabulary; }

  bool take_bytes() override {
    std::array<int32_t, 256> ids;
    for (int byte = 0; byte < 256; ++byte) {
      ids[byte] = config_.vocabulary.find(byte_letters()[byte]);
      if (ids[byte] < 0) return false;
    }
    byte_ids_ = ids;
    bytes_ = true;
    return true;
  }

  void encode(const Pieces& pieces, ModelScratch& scratch, std::vector<int32_t>& ids) const override {
    auto& own = static_cast<BpeScratch&>(scratch);
    const bool cut = config_.cut_at_metaspace && !bytes_;
    for (size_t i = 0; i < pieces.spans.size(); ++i) {
      const std::string_view piece = pieces.piece(i);
      if (!cut) {
        encode_word(piece, own, ids);
        continue;
      }
      size_t begin = 0;
      for (size_t at = 0; (at = piece.find(kMetaspace, at)) != std::string_view::npos;
           at += kMetaspace.size()) {
        if (at == begin || piece.substr(0, at).ends_with(kMetaspace)) continue;
        encode_word(piece.substr(begin, at - begin), own, ids);
        begin = at;
      }
      encode_word(piece.substr(begin), own, ids);
    }
  }

 private:
  void encode_word(std::string_view word, BpeScratch& scratch, std::vector<int32_t>& ids) const {
    if (word.size() > WordCache::kMaxBytes) {
      merge_word(word, scratch);
      ids.insert(ids.end(), scratch.merger.symbols.begin(), scratch.merger.symbols.end());
      return;
    }
    WordCache::Slot& slot = scratch.cache.slot(word);
    if (WordCache::holds(slot, word)) {
      ids.insert(ids.end(), slot.id, slot.id + slot.ids);
      return;
    }
    merge_word(word, scratch);
    WordCache::fill(slot, word, scratch.merger.symbols);
    ids.insert(ids.end(), scratch.merger.symbols.begin(), scratch.merger.symbols.end());
  }

  // Leaves the ids of `word` in the merger's symbols.
  void merge_word(std::string_view word, BpeScratch& scratch) const {
    std::vector<int32_t>& symbols = scratch.merger.symbols;
    symbols.clear();
    if (config_.ignore_merges) {
      const int32_t id = config_.vocabulary.find(bytes_ ? letters_of(word, scratch.letters) : word);
      if (id >= 0) {
        symbols.push_back(id);
        return;
      }
    }
    if (bytes_) {
      for (const char byte : word) symbols.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
    } else {
      push_characters(word, symbols);
    }
    scratch.merger.merge(config_.merges);
  }

  static std::string_view letters_of(std::string_view word, std::string& out) {
    out.clear();
    for (const char byte : word) out += byte_letters()[static_cast<unsigned char>(byte)];
    return out;
  }

  void push_characters(std::string_view word, std::vector<int32_t>& symbols) const {
    bool pending = false;  // an unknown character that isn't among the symbols yet: the next may fuse with it
    const auto flush = [&] {
      if (pending) symbols.push_back(unknown_id_);
      pending = false;
    };
    for (size_t at = 0; at < word.size();) {
      const CodePoint c = decode_utf8(word.data() + at);
      const std::string_view text = word.substr(at, c.bytes);
      at += c.bytes;
      const int32_t id = c.value < 0x10000 ? char_ids_[c.value] : config_.vocabulary.find(text);
      if (id >= 0) {
        flush();
        symbols.push_back(id);
      } else if (!push_bytes(text, symbols) && config_.unknown_token) {
        if (unknown_id_ < 0) {
          throw UserError(
              "the tokenizer has no token for '{}', and its unk_token \"{}\" isn't in its vocabulary either. "
              "Add that token to the vocabulary in tokenizer.json.",
              text, *config_.unknown_token);
        }
        // As in the reference, bytes do not flush: what was unknown before them comes behind them.
        if (!config_.fuse_unknown) flush();
        pending = true;
      }
    }
    flush();
  }

  bool push_bytes(std::string_view text, std::vector<int32_t>& symbols) const {
    for (const char byte : text) {
      if (byte_ids_[static_cast<unsigned char>(byte)] < 0) return false;
    }
    for (const char byte : text) symbols.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
    return true;
  }

  BpeConfig config_;
  std::vector<int32_t> char_ids_;      // of the characters below U+10000; -1: no token
  std::array<int32_t, 256> byte_ids_;  // of the bytes: by fallback, or of their letters when pieces are bytes
  int32_t unknown_id_ = -1;
  bool bytes_ = false;  // pieces are bytes
};

}  // namespace

std::unique_ptr<Model> make_bpe(BpeConfig config) {
  return std::make_unique<Bpe>(std::move(config));
}

}  // namespace longhaul::tokenizer
