// The Unicode normalization forms, by utf8proc. NFC, which the Qwen family applies to every text, skips what
// is in that form already: only a character that is not "inert" (see unicode.h) can change, together with the
// one before it.
// The reference's tables are those of an older Unicode: characters of Unicode 12 and later, which it takes
// for unassigned, may come out otherwise there.
#include <utf8proc.h>

#include <algorithm>
#include <iterator>
#include <optional>

#include "data/tokenizer/normalizer.h"
#include "data/tokenizer/transformation.h"
#include "data/tokenizer/unicode.h"
#include "longhaul/core/error.h"

namespace longhaul::tokenizer {
namespace {

int options(UnicodeForm form) {
  switch (form) {
    case UnicodeForm::nfc:
      return UTF8PROC_STABLE | UTF8PROC_COMPOSE;
    case UnicodeForm::nfd:
      return UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
    case UnicodeForm::nfkc:
      return UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
    case UnicodeForm::nfkd:
      return UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT;
  }
  LONGHAUL_CHECK(false, "unknown Unicode form {}", static_cast<int>(form));
}

void append_form(std::string_view text, UnicodeForm form, std::string& out) {
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &result, static_cast<utf8proc_option_t>(options(form)));
  if (length < 0)
    throw EnvironmentError("normalizing {} bytes of text failed: {}", text.size(), utf8proc_errmsg(length));
  out.append(reinterpret_cast<const char*>(result), static_cast<size_t>(length));
  std::free(result);
}

// The same once more, character by character, for when somebody wants to know where each of them comes from.
class TrackedForm {
 public:
  explicit TrackedForm(UnicodeForm form) : form_(form) {}

  void apply(NormalizedText& normalized) {
    decompose(normalized.text);
    if (form_ == UnicodeForm::nfc || form_ == UnicodeForm::nfkc) compose();
    Transformation made(normalized);
    std::string character;
    for (const Part& part : parts_) {
      character.clear();
      append_utf8(character, part.value);
      made.put(character, part.change);
    }
    made.finish();
  }

 private:
  struct Part {
    char32_t value;
    int32_t change;  // see Transformation
    int32_t order;   // the canonical combining class
  };

  static int32_t order(char32_t c) { return utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class; }

  void decompose(std::string_view text) {
    utf8proc_int32_t out[32];
    int boundary = 0;
    const int how = UTF8PROC_DECOMPOSE | (options(form_) & UTF8PROC_COMPAT);
    size_t run = 0;  // where the combining characters start that are yet to be put in order
    const auto sort_run = [&] {
      std::stable_sort(parts_.begin() + static_cast<std::ptrdiff_t>(run), parts_.end(),
                       [](const Part& a, const Part& b) { return a.order < b.order; });
      run = parts_.size();
    };
    for (size_t at = 0; at < text.size();) {
      const CodePoint c = decode_utf8(text.data() + at);
      at += c.bytes;
      const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c.value), out, std::size(out),
                                                 static_cast<utf8proc_option_t>(how), &boundary);
      LONGHAUL_CHECK(count > 0 && count <= 32, "U+{:04X} decomposes into {}", static_cast<uint32_t>(c.value), count);
      for (utf8proc_ssize_t i = 0; i < count; ++i) {
        const auto part = static_cast<char32_t>(out[i]);
        if (order(part) == 0) sort_run();
        parts_.push_back({part, i == 0 ? 0 : 1, order(part)});
      }
    }
    sort_run();
  }

  void compose() {
    std::vector<Part> composed;
    std::optional<size_t> starter;  // in `composed`
    int32_t last_order = 0;         // of what stands behind the starter; 0: nothing
    for (const Part& part : parts_) {
      if (starter && (last_order == 0 || last_order < part.order)) {
        if (const auto pair = composition(composed[*starter].value, part.value)) {
          composed[*starter].value = *pair;
          composed[*starter].change += part.change - 1;
          continue;
        }
      }
      if (part.order == 0) starter = composed.size();
      last_order = part.order;
      composed.push_back(part);
    }
    parts_ = std::move(composed);
  }

  static std::optional<char32_t> composition(char32_t first, char32_t second) {
    utf8proc_int32_t pair[2] = {static_cast<utf8proc_int32_t>(first), static_cast<utf8proc_int32_t>(second)};
    const auto how = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (utf8proc_normalize_utf32(pair, 2, how) != 1) return std::nullopt;
    return static_cast<char32_t>(pair[0]);
  }

  UnicodeForm form_;
  std::vector<Part> parts_;
};

// The first character at or after `at` that isn't inert; the text's size if all are.
size_t first_not_inert(std::string_view text, size_t at) {
  const CharClasses& table = CharClasses::get();
  while (at < text.size()) {
    const CodePoint c = decode_utf8(text.data() + at);
    if (c.value >= 0x300 && !table.is(c.value, kNfcInert)) return at;
    at += c.bytes;
  }
  return text.size();
}

class Nfc : public Normalizer {
 public:
  bool leaves_alone(std::string_view text) const override { return first_not_inert(text, 0) == text.size(); }

  void normalize(NormalizedText& normalized) const override {
    if (normalized.origins) return TrackedForm(UnicodeForm::nfc).apply(normalized);
    const std::string_view text = normalized.text;
    const CharClasses& table = CharClasses::get();
    std::string out;
    size_t done = 0;
    for (;;) {
      const size_t change = first_not_inert(text, done);
      if (change == text.size()) break;
      const size_t begin =
          change == done ? change : static_cast<size_t>(previous_utf8(text.data() + change) - text.data());
      size_t end = change;
      while (end < text.size()) {
        const CodePoint c = decode_utf8(text.data() + end);
        if (table.is(c.value, kNfcInert)) break;
        end += c.bytes;
      }
      out += text.substr(done, begin - done);
      append_form(text.substr(begin, end - begin), UnicodeForm::nfc, out);
      done = end;
    }
    if (done == 0) return;
    out += text.substr(done);
    normalized.text = std::move(out);
  }
};

class OtherForm : public Normalizer {
 public:
  explicit OtherForm(UnicodeForm form) : form_(form) {}
  bool leaves_alone(std::string_view text) const override { return ascii(text); }
  void normalize(NormalizedText& normalized) const override {
    if (ascii(normalized.text)) return;
    if (normalized.origins) return TrackedForm(form_).apply(normalized);
    std::string out;
    append_form(normalized.text, form_, out);
    normalized.text = std::move(out);
  }

 private:
  UnicodeForm form_;
};

}  // namespace

std::unique_ptr<Normalizer> make_unicode_form(UnicodeForm form) {
  if (form == UnicodeForm::nfc) return std::make_unique<Nfc>();
  return std::make_unique<OtherForm>(form);
}

}  // namespace longhaul::tokenizer
