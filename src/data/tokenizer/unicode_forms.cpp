// The Unicode normalization forms, by utf8proc. NFC, which the Qwen family applies to every text, skips what
// is in that form already: only a character that is not "inert" (see unicode.h) can change, together with the
// one before it.
// The reference's tables are those of an older Unicode: characters of Unicode 12 and later, which it takes
// for unassigned, may come out otherwise there.
#include <utf8proc.h>

#include "data/tokenizer/normalizer.h"
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
  const utf8proc_ssize_t length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                               static_cast<utf8proc_ssize_t>(text.size()), &result,
                                               static_cast<utf8proc_option_t>(options(form)));
  if (length < 0)
    throw EnvironmentError("normalizing {} bytes of text failed: {}", text.size(), utf8proc_errmsg(length));
  out.append(reinterpret_cast<const char*>(result), static_cast<size_t>(length));
  std::free(result);
}

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
