// The normalizers that work on characters and strings: Lowercase, StripAccents, Strip, Prepend, Replace,
// Sequence.
#include <utf8proc.h>

#include <algorithm>

#include "data/tokenizer/keep_characters.h"
#include "data/tokenizer/normalizer.h"
#include "data/tokenizer/rewrite.h"
#include "data/tokenizer/unicode.h"

namespace longhaul::tokenizer {
namespace {

class Lowercase : public Normalizer {
 public:
  bool leaves_alone(std::string_view text) const override {
    return std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) >= 0x80 || (c >= 'A' && c <= 'Z'); });
  }
  void normalize(NormalizedText& normalized) const override {
    Rewrite rewrite(normalized);
    const std::string_view text = rewrite.old();
    std::string lower;
    for (size_t at = 0; at < text.size();) {
      const CodePoint c = decode_utf8(text.data() + at);
      lower.clear();
      if (c.value < 0x80) {
        lower += static_cast<char>(c.value >= 'A' && c.value <= 'Z' ? c.value + 32 : c.value);
      } else if (c.value == 0x130) {  // the one character whose lower case is two: i and a dot above
        lower = "i\xCC\x87";
      } else {
        append_utf8(lower, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c.value))));
      }
      rewrite.put(lower, at);
      at += c.bytes;
    }
    rewrite.finish();
  }
};

class StripAccents : public Normalizer {
 public:
  bool leaves_alone(std::string_view text) const override { return ascii(text); }
  void normalize(NormalizedText& normalized) const override {
    const CharClasses& table = CharClasses::get();
    keep_characters(normalized, [&](char32_t c) { return !table.is(c, kMark); });
  }
};

class Strip : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  bool leaves_alone(std::string_view text) const override { return bounds(text) == Span{0, text.size()}; }
  void normalize(NormalizedText& normalized) const override {
    const Span kept = bounds(normalized.text);
    if (kept.begin != 0) normalized.keeps_start = false;
    Rewrite rewrite(normalized);
    rewrite.keep(kept.begin, kept.end);
    rewrite.finish();
  }

 private:
  Span bounds(std::string_view text) const {
    const CharClasses& table = CharClasses::get();
    Span kept{0, text.size()};
    while (left_ && kept.begin < kept.end) {
      const CodePoint c = decode_utf8(text.data() + kept.begin);
      if (!table.is(c.value, kSpace)) break;
      kept.begin += c.bytes;
    }
    while (right_ && kept.begin < kept.end) {
      const char* last = previous_utf8(text.data() + kept.end);
      if (!table.is(decode_utf8(last).value, kSpace)) break;
      kept.end = static_cast<size_t>(last - text.data());
    }
    return kept;
  }
  bool left_;
  bool right_;
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}
  bool leaves_alone(std::string_view text) const override { return text.empty(); }
  void normalize(NormalizedText& normalized) const override {
    if (normalized.text.empty()) return;
    Rewrite rewrite(normalized);
    rewrite.put(prefix_, 0);
    rewrite.keep(0, rewrite.old().size());
    rewrite.finish();
  }

 private:
  std::string prefix_;
};

class Replace : public Normalizer {
 public:
  Replace(std::unique_ptr<Matcher> matcher, std::string content)
      : matcher_(std::move(matcher)), content_(std::move(content)) {}
  bool leaves_alone(std::string_view text) const override { return text.empty(); }
  void normalize(NormalizedText& normalized) const override {
    std::vector<Span> matches;
    matcher_->find(normalized.text, matches);
    if (matches.empty()) return;
    Rewrite rewrite(normalized);
    size_t done = 0;
    for (const Span& match : matches) {
      rewrite.keep(done, match.begin);
      if (content_.empty() && rewrite.empty() && match.end > match.begin) normalized.keeps_start = false;
      rewrite.insert(content_, match.end);
      done = match.end;
    }
    rewrite.keep(done, normalized.text.size());
    rewrite.finish();
  }

 private:
  std::unique_ptr<Matcher> matcher_;
  std::string content_;
};

class Sequence : public Normalizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<Normalizer>> parts) : parts_(std::move(parts)) {}
  bool leaves_alone(std::string_view text) const override {
    return std::all_of(parts_.begin(), parts_.end(), [&](const auto& part) { return part->leaves_alone(text); });
  }
  void normalize(NormalizedText& normalized) const override {
    for (const auto& part : parts_) {
      if (!part->leaves_alone(normalized.text)) part->normalize(normalized);
    }
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> parts_;
};

}  // namespace

std::unique_ptr<Normalizer> make_lowercase() {
  return std::make_unique<Lowercase>();
}
std::unique_ptr<Normalizer> make_strip_accents() {
  return std::make_unique<StripAccents>();
}
std::unique_ptr<Normalizer> make_strip(bool left, bool right) {
  return std::make_unique<Strip>(left, right);
}
std::unique_ptr<Normalizer> make_prepend(std::string prefix) {
  return std::make_unique<Prepend>(std::move(prefix));
}
std::unique_ptr<Normalizer> make_replace(std::unique_ptr<Matcher> matcher, std::string content) {
  return std::make_unique<Replace>(std::move(matcher), std::move(content));
}
std::unique_ptr<Normalizer> make_normalizer_sequence(std::vector<std::unique_ptr<Normalizer>> parts) {
  return std::make_unique<Sequence>(std::move(parts));
}

}  // namespace longhaul::tokenizer
