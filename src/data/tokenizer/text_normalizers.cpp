// The normalizers that work on characters and strings: Lowercase, StripAccents, Strip, Prepend, Replace,
// Sequence.
#include <utf8proc.h>

#include <algorithm>

#include "data/tokenizer/normalizer.h"
#include "data/tokenizer/unicode.h"

namespace longhaul::tokenizer {
namespace {

class Lowercase : public Normalizer {
 public:
  bool leaves_alone(std::string_view text) const override { return text.empty(); }
  void normalize(NormalizedText& normalized) const override {
    std::string out;
    out.reserve(normalized.text.size());
    for (size_t at = 0; at < normalized.text.size();) {
      const CodePoint c = decode_utf8(normalized.text.data() + at);
      at += c.bytes;
      if (c.value == 0x130) {  // the one character whose lower case is two: i and a dot above
        out += "i\xCC\x87";
      } else {
        append_utf8(out, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c.value))));
      }
    }
    normalized.text = std::move(out);
  }
};

class StripAccents : public Normalizer {
 public:
  bool leaves_alone(std::string_view text) const override { return text.empty(); }
  void normalize(NormalizedText& normalized) const override {
    const CharClasses& table = CharClasses::get();
    std::string out;
    out.reserve(normalized.text.size());
    for (size_t at = 0; at < normalized.text.size();) {
      const CodePoint c = decode_utf8(normalized.text.data() + at);
      const bool mark = table.is(c.value, kMark);
      if (!mark) out.append(normalized.text, at, c.bytes);
      if (mark && at == 0) normalized.keeps_start = false;
      at += c.bytes;
    }
    normalized.text = std::move(out);
  }
};

class Strip : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}
  bool leaves_alone(std::string_view text) const override { return bounds(text) == Span{0, text.size()}; }
  void normalize(NormalizedText& normalized) const override {
    const Span kept = bounds(normalized.text);
    if (kept.begin != 0) normalized.keeps_start = false;
    normalized.text = normalized.text.substr(kept.begin, kept.end - kept.begin);
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
    if (!normalized.text.empty()) normalized.text.insert(0, prefix_);
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
    const std::string_view text = normalized.text;
    std::vector<Span> matches;
    matcher_->find(text, matches);
    if (matches.empty()) return;
    std::string out;
    size_t done = 0;
    for (const Span& match : matches) {
      out += text.substr(done, match.begin - done);
      if (content_.empty() && out.empty() && match.end > match.begin) normalized.keeps_start = false;
      out += content_;
      done = match.end;
    }
    out += text.substr(done);
    normalized.text = std::move(out);
  }

 private:
  std::unique_ptr<Matcher> matcher_;
  std::string content_;
};

class Sequence : public Normalizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<Normalizer>> parts) : parts_(std::move(parts)) {}
  bool leaves_alone(std::string_view text) const override {
    return std::all_of(parts_.begin(), parts_.end(),
                       [&](const auto& part) { return part->leaves_alone(text); });
  }
  void normalize(NormalizedText& normalized) const override {
    for (const auto& part : parts_) part->normalize(normalized);
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
