// The pre-tokenizers that cut by counting characters and by script.
#include "data/tokenizer/pre_tokenizer.h"
#include "data/tokenizer/unicode.h"

namespace longhaul::tokenizer {
namespace {

class FixedLength : public PreTokenizer {
 public:
  explicit FixedLength(size_t length) : length_(length) {}

  void apply(Pieces& pieces) const override {
    pieces.next.clear();
    for (const Span& piece : pieces.spans) {
      for (size_t begin = piece.begin; begin < piece.end;) {
        size_t end = begin;
        for (size_t i = 0; i < length_ && end < piece.end; ++i) end += decode_utf8(pieces.text.data() + end).bytes;
        pieces.next.push_back({begin, end});
        begin = end;
      }
    }
    pieces.spans.swap(pieces.next);
  }

 private:
  size_t length_;  // in characters
};

constexpr CodePointTable::Run kScriptRuns[] = {
#include "data/tokenizer/unicode_scripts.inc"
};
constexpr uint8_t kAnyScript = 0;

// Cuts where the script changes; characters of any script go with what stands before them. As in the
// reference, those at the start of a piece are lost.
class UnicodeScripts : public PreTokenizer {
 public:
  void apply(Pieces& pieces) const override {
    static const CodePointTable scripts(kScriptRuns);
    pieces.next.clear();
    for (const Span& piece : pieces.spans) {
      uint8_t last = kAnyScript;
      for (size_t at = piece.begin; at < piece.end;) {
        const CodePoint c = decode_utf8(pieces.text.data() + at);
        const uint8_t script = scripts[c.value];
        if (script != kAnyScript) {
          if (script != last) {
            if (last != kAnyScript) pieces.next.back().end = at;
            pieces.next.push_back({at, piece.end});
          }
          last = script;
        }
        at += c.bytes;
      }
    }
    pieces.take_next();
  }
};

}  // namespace

std::unique_ptr<PreTokenizer> make_fixed_length(size_t length) {
  return std::make_unique<FixedLength>(length);
}
std::unique_ptr<PreTokenizer> make_unicode_scripts() {
  return std::make_unique<UnicodeScripts>();
}

}  // namespace longhaul::tokenizer
