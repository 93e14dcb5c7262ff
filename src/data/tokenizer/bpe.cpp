#include "data/tokenizer/bpe.h"

#include <array>

#include "data/tokenizer/bpe_merger.h"
#include "data/tokenizer/byte_level.h"
#include "data/tokenizer/unicode.h"
#include "data/tokenizer/word_cache.h"

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
  explicit Bpe(BpeConfig config)
      : config_(std::move(config)),
        char_ids_(0x10000, -1),
        affixes_(!config_.continuing_prefix.empty() || !config_.end_suffix.empty()) {
    byte_ids_.fill(-1);
    if (config_.unknown_token) unknown_id_ = config_.vocabulary.find(*config_.unknown_token);
    std::string token;
    for (char32_t c = 0; c < char_ids_.size(); ++c) {
      token.clear();
      append_utf8(token, c);
      char_ids_[c] = config_.vocabulary.find(token);
    }
    if (config_.byte_fallback) byte_ids_ = byte_tokens(config_.vocabulary);
  }

  std::unique_ptr<ModelScratch> make_scratch() const override { return std::make_unique<BpeScratch>(); }
  const Vocabulary& vocabulary() const override { return config_.vocabulary; }

  bool take_bytes() override {
    std::array<int32_t, 256> ids;
    for (int byte = 0; byte < 256; ++byte) {
      ids[byte] = config_.vocabulary.find(byte_letters()[byte]);
      if (ids[byte] < 0 || affixes_) return false;
    }
    byte_ids_ = ids;
    bytes_ = true;
    return true;
  }

  void encode(const Pieces& pieces, ModelScratch& scratch, std::vector<int32_t>& ids) const override {
    auto& own = static_cast<BpeScratch&>(scratch);
    own.merger.track_lengths = false;
    const auto encode_word = [&](std::string_view word) {
      own.cache.append(word, ids, [&] {
        merge_word(word, own);
        ids.insert(ids.end(), own.merger.symbols.begin(), own.merger.symbols.end());
      });
    };
    const bool cut = config_.cut_at_metaspace && !bytes_;
    for (size_t i = 0; i < pieces.spans.size(); ++i) {
      const std::string_view piece = pieces.piece(i);
      if (!cut) {
        encode_word(piece);
        continue;
      }
      size_t begin = 0;
      for (size_t at = 0; (at = piece.find(kMetaspace, at)) != std::string_view::npos; at += kMetaspace.size()) {
        if (at == begin || piece.substr(0, at).ends_with(kMetaspace)) continue;
        encode_word(piece.substr(begin, at - begin));
        begin = at;
      }
      encode_word(piece.substr(begin));
    }
  }

  void encode_spans(std::string_view piece, ModelScratch& scratch, std::vector<int32_t>& ids,
                    std::vector<Span>& spans) const override {
    auto& own = static_cast<BpeScratch&>(scratch);
    own.merger.track_lengths = true;
    merge_word(piece, own);
    size_t begin = 0;
    for (size_t i = 0; i < own.merger.symbols.size(); ++i) {
      ids.push_back(own.merger.symbols[i]);
      spans.push_back({begin, begin + own.merger.lengths[i]});
      begin = spans.back().end;
    }
  }

 private:
  // Leaves the ids of `word` in the merger's symbols.
  void merge_word(std::string_view word, BpeScratch& scratch) const {
    BpeMerger& merger = scratch.merger;
    merger.symbols.clear();
    merger.lengths.clear();
    if (config_.ignore_merges) {
      const int32_t id = config_.vocabulary.find(bytes_ ? letters_of(word, scratch.letters) : word);
      if (id >= 0) {
        merger.push(id, word.size());
        return;
      }
    }
    if (bytes_) {
      for (const char byte : word) merger.push(byte_ids_[static_cast<unsigned char>(byte)], 1);
    } else {
      push_characters(word, scratch);
    }
    merger.merge(config_.merges);
  }

  static std::string_view letters_of(std::string_view word, std::string& out) {
    out.clear();
    for (const char byte : word) out += byte_letters()[static_cast<unsigned char>(byte)];
    return out;
  }

  void push_characters(std::string_view word, BpeScratch& scratch) const {
    BpeMerger& merger = scratch.merger;
    size_t unknown = 0;  // bytes that are unknown but not among the symbols yet: the next may fuse with them
    const auto flush = [&] {
      if (unknown > 0) merger.push(unknown_id_, unknown);
      unknown = 0;
    };
    for (size_t at = 0; at < word.size();) {
      const CodePoint c = decode_utf8(word.data() + at);
      std::string_view text = word.substr(at, c.bytes);
      if (affixes_) text = with_affixes(text, at == 0, at + c.bytes == word.size(), scratch.letters);
      at += c.bytes;
      const int32_t id = c.value < 0x10000 && !affixes_ ? char_ids_[c.value] : config_.vocabulary.find(text);
      if (id >= 0) {
        flush();
        merger.push(id, c.bytes);
      } else if (config_.byte_fallback && append_byte_tokens(byte_ids_, text, merger.symbols)) {
        if (merger.track_lengths) merger.lengths.resize(merger.symbols.size(), 1);
      } else if (config_.unknown_token) {
        if (unknown_id_ < 0) refuse_unknown(text, *config_.unknown_token);
        // As in the reference, bytes do not flush: what was unknown before them comes behind them.
        if (!config_.fuse_unknown) flush();
        unknown += c.bytes;
      }
    }
    flush();
  }

  std::string_view with_affixes(std::string_view character, bool first, bool last, std::string& out) const {
    out.clear();
    if (!first) out += config_.continuing_prefix;
    out += character;
    if (last) out += config_.end_suffix;
    return out;
  }

  BpeConfig config_;
  std::vector<int32_t> char_ids_;      // of the characters below U+10000; -1: no token
  std::array<int32_t, 256> byte_ids_;  // of the bytes: by fallback, or of their letters when pieces are bytes
  int32_t unknown_id_ = -1;
  bool affixes_;        // there is a prefix or a suffix
  bool bytes_ = false;  // pieces are bytes
};

}  // namespace

std::unique_ptr<Model> make_bpe(BpeConfig config) {
  return std::make_unique<Bpe>(std::move(config));
}

}  // namespace longhaul::tokenizer
