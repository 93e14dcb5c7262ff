// SentencePiece's compiled table of replacements. As in the reference, a text is looked up by the grapheme
// cluster (what a reader takes for one character) when that is shorter than 6 bytes, and then the shortest
// entry that the cluster starts with stands for all of it; else by the character.
#include <utf8proc.h>

#include "data/tokenizer/transformation.h"
#include "data/tokenizer/unicode.h"
#include "longhaul/core/error.h"

namespace longhaul::tokenizer {
namespace {

constexpr size_t kLongestCluster = 5;  // bytes

// The double array of the table, in the layout of the Darts library: the bits of a unit are a label or a value,
// whether a value follows, and the distance to the units that follow.
class CharsMap {
 public:
  CharsMap(std::string_view charsmap, std::string_view where) : where_(where) {
    const auto word = [&](size_t at) {
      uint32_t value = 0;
      for (size_t i = 0; i < 4; ++i) {
        value |= static_cast<uint32_t>(static_cast<unsigned char>(charsmap[at + i])) << (8 * i);
      }
      return value;
    };
    if (charsmap.size() < 4) refuse();
    const size_t bytes = word(0);
    if (bytes < 4 || bytes % 4 != 0 || bytes > charsmap.size() - 4) refuse();
    units_.resize(bytes / 4);
    for (size_t i = 0; i < units_.size(); ++i) units_[i] = word(4 + 4 * i);
    texts_ = charsmap.substr(4 + bytes);
    if (!valid_utf8(texts_)) refuse();
  }

  // What `text` is replaced by: the entry for the shortest part that it starts with.
  std::optional<std::string_view> find(std::string_view text) const {
    size_t at = offset(units_[0]);
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte == 0) break;
      at ^= byte;
      const uint32_t unit = unit_at(at);
      if ((unit & (1U << 31 | 0xFF)) != byte) break;
      at ^= offset(unit);
      if (unit >> 8 & 1) return text_at(unit_at(at) & ~(1U << 31));
    }
    return std::nullopt;
  }

 private:
  static size_t offset(uint32_t unit) { return static_cast<size_t>(unit >> 10) << ((unit & 1U << 9) >> 6); }
  uint32_t unit_at(size_t at) const {
    if (at >= units_.size()) refuse();
    return units_[at];
  }
  std::string_view text_at(size_t at) const {
    if (at > texts_.size()) refuse();
    const std::string_view rest = std::string_view(texts_).substr(at);
    const std::string_view text = rest.substr(0, rest.find('\0'));
    if (!text.empty() && (static_cast<unsigned char>(text[0]) & 0xC0) == 0x80) refuse();
    return text;
  }
  [[noreturn]] void refuse() const {
    throw UserError("{}: the precompiled table of replacements is damaged. Get the file again.", where_);
  }

  std::string where_;
  std::vector<uint32_t> units_;
  std::string texts_;
};

// The end of the grapheme cluster that starts at `begin`.
size_t cluster_end(std::string_view text, size_t begin) {
  utf8proc_int32_t state = 0;
  CodePoint last = decode_utf8(text.data() + begin);
  size_t at = begin + last.bytes;
  while (at < text.size()) {
    const CodePoint next = decode_utf8(text.data() + at);
    if (utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(last.value),
                                         static_cast<utf8proc_int32_t>(next.value), &state)) {
      break;
    }
    last = next;
    at += next.bytes;
  }
  return at;
}

class Precompiled : public Normalizer {
 public:
  Precompiled(std::string_view charsmap, std::string_view where) : map_(charsmap, where) {
    for (int c = 0; c < 0x80; ++c) {
      const char text = static_cast<char>(c);
      plain_[c] = c != '\r' && !map_.find({&text, 1});
    }
  }

  bool leaves_alone(std::string_view text) const override { return plain_end(text, 0) == text.size(); }

  void normalize(NormalizedText& normalized) const override {
    const std::string_view text = normalized.text;
    Transformation made(normalized);
    bool changed = false;
    const auto replace = [&](size_t begin, size_t end) {
      const auto with = map_.find(text.substr(begin, end - begin));
      if (with) made.replace(text.substr(begin, end - begin), *with);
      changed |= with.has_value();
      return with.has_value();
    };
    for (size_t at = 0; at < text.size();) {
      const size_t plain = plain_end(text, at);
      made.keep(text.substr(at, plain - at));
      at = plain;
      if (at == text.size()) break;
      const size_t end = cluster_end(text, at);
      if (end - at <= kLongestCluster && replace(at, end)) at = end;
      while (at < end) {
        const size_t next = at + decode_utf8(text.data() + at).bytes;
        if (!replace(at, next)) made.keep(text.substr(at, next - at));
        at = next;
      }
    }
    if (changed) made.finish();
  }

 private:
  // The end of the ASCII characters from `at` on that stay as they are: none of them with what a combining
  // character could follow.
  size_t plain_end(std::string_view text, size_t at) const {
    while (at < text.size()) {
      const auto byte = static_cast<unsigned char>(text[at]);
      if (byte >= 0x80 || !plain_[byte]) break;
      if (at + 1 < text.size() && static_cast<unsigned char>(text[at + 1]) >= 0x80) break;
      ++at;
    }
    return at;
  }

  CharsMap map_;
  bool plain_[0x80];  // ASCII characters that stay as they are
};

}  // namespace

std::unique_ptr<Normalizer> make_precompiled(std::string_view charsmap, std::string_view where) {
  return std::make_unique<Precompiled>(charsmap, where);
}

}  // namespace longhaul::tokenizer
