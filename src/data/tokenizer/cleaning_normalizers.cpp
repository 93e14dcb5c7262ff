// The normalizers that clean a text: BERT's and that of SentencePiece's machine translation.
#include "data/tokenizer/byte_level.h"
#include "data/tokenizer/keep_characters.h"

namespace longhaul::tokenizer {
namespace {

enum BertClass : uint8_t {
  kOther = 1,       // control characters, formats, private use, unassigned
  kNonspacing = 2,  // \p{Mn}
};
constexpr CodePointTable::Run kBertRuns[] = {
#include "data/tokenizer/bert_classes.inc"
};
const CodePointTable& bert_classes() {
  static const CodePointTable table(kBertRuns);
  return table;
}

bool space(char32_t c) {
  return CharClasses::get().is(c, kSpace);
}

class CleanText : public Normalizer {
 public:
  bool leaves_alone(std::string_view text) const override {
    for (const char c : text) {
      if (c < ' ' || c == 0x7F) return false;  // beyond ASCII too: those are negative
    }
    return true;
  }
  void normalize(NormalizedText& normalized) const override {
    const CodePointTable& classes = bert_classes();
    keep_characters(normalized, [&](char32_t c) { return !(classes[c] & kOther); });
    replace_characters(normalized, " ", [](char32_t c) { return c != ' ' && space(c); });
  }
};

bool han(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

class SpaceHan : public Normalizer {
 public:
  bool leaves_alone(std::string_view text) const override { return ascii(text); }
  void normalize(NormalizedText& normalized) const override {
    Rewrite rewrite(normalized);
    const std::string_view text = rewrite.old();
    for (size_t at = 0; at < text.size();) {
      const CodePoint c = decode_utf8(text.data() + at);
      if (han(c.value)) {
        rewrite.put(" ", at);
        rewrite.keep(at, at + c.bytes);
        rewrite.put(" ", at);
      } else {
        rewrite.keep(at, at + c.bytes);
      }
      at += c.bytes;
    }
    rewrite.finish();
  }
};

class StripNonspacing : public Normalizer {
 public:
  bool leaves_alone(std::string_view text) const override { return ascii(text); }
  void normalize(NormalizedText& normalized) const override {
    const CodePointTable& classes = bert_classes();
    keep_characters(normalized, [&](char32_t c) { return !(classes[c] & kNonspacing); });
  }
};

class Nmt : public Normalizer {
 public:
  bool leaves_alone(std::string_view text) const override {
    for (const char c : text) {
      if (c < ' ' || c == 0x7F) return false;
    }
    return true;
  }
  void normalize(NormalizedText& normalized) const override {
    keep_characters(normalized, [](char32_t c) {
      return !((c >= 1 && c <= 8) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F);
    });
    replace_characters(normalized, " ", [](char32_t c) {
      return c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 || (c >= 0x200B && c <= 0x200F) ||
             c == 0x2028 || c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
    });
  }
};

class ByteLettersNormalizer : public Normalizer {
 public:
  bool leaves_alone(std::string_view text) const override { return text.empty(); }
  void normalize(NormalizedText& normalized) const override {
    Rewrite rewrite(normalized);
    const std::string_view text = rewrite.old();
    const auto& letters = byte_letters();
    for (size_t at = 0; at < text.size(); ++at) rewrite.put(letters[static_cast<unsigned char>(text[at])], at);
    rewrite.finish();
  }
};

}  // namespace

std::unique_ptr<Normalizer> make_bert_normalizer(const BertNormalizerConfig& config) {
  std::vector<std::unique_ptr<Normalizer>> parts;
  if (config.clean_text) parts.push_back(std::make_unique<CleanText>());
  if (config.handle_chinese_chars) parts.push_back(std::make_unique<SpaceHan>());
  if (config.strip_accents) {
    parts.push_back(make_unicode_form(UnicodeForm::nfd));
    parts.push_back(std::make_unique<StripNonspacing>());
  }
  if (config.lowercase) parts.push_back(make_lowercase());
  return make_normalizer_sequence(std::move(parts));
}

std::unique_ptr<Normalizer> make_nmt() {
  return std::make_unique<Nmt>();
}

std::unique_ptr<Normalizer> make_byte_letters_normalizer() {
  return std::make_unique<ByteLettersNormalizer>();
}

}  // namespace longhaul::tokenizer
