#include "data/tokenizer/byte_level.h"

#include "data/tokenizer/pre_tokenizer.h"
#include "data/tokenizer/unicode.h"

namespace longhaul::tokenizer {
namespace {

constexpr bool stands_for_itself(int byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

struct Alphabet {
  std::array<std::string, 256> letters;
  std::array<int16_t, 512> bytes;  // code point -> byte, or -1

  Alphabet() {
    bytes.fill(-1);
    char32_t next = 256;
    for (int byte = 0; byte < 256; ++byte) {
      const char32_t letter = stands_for_itself(byte) ? static_cast<char32_t>(byte) : next++;
      append_utf8(letters[byte], letter);
      bytes[letter] = static_cast<int16_t>(byte);
    }
  }
  static const Alphabet& get() {
    static const Alphabet alphabet;
    return alphabet;
  }
};

class PrefixSpace : public PreTokenizer {
 public:
  void apply(Pieces& pieces) const override {
    pieces.start_spare();
    for (Span& span : pieces.spans) {
      const size_t begin = pieces.spare.size();
      if (pieces.text[span.begin] != ' ') pieces.put(" ", span.begin);
      pieces.keep(span.begin, span.end);
      span = {begin, pieces.spare.size()};
    }
    pieces.adopt_spare();
  }
};

class ByteLetters : public PreTokenizer {
 public:
  void apply(Pieces& pieces) const override {
    pieces.start_spare();
    const auto& letters = byte_letters();
    for (Span& span : pieces.spans) {
      const size_t begin = pieces.spare.size();
      for (size_t at = span.begin; at < span.end; ++at) {
        pieces.put(letters[static_cast<unsigned char>(pieces.text[at])], at);
      }
      span = {begin, pieces.spare.size()};
    }
    pieces.adopt_spare();
  }
  bool only_maps_bytes() const override { return true; }
};

}  // namespace

const std::array<std::string, 256>& byte_letters() {
  return Alphabet::get().letters;
}

std::optional<std::string> bytes_of_letters(std::string_view letters) {
  const Alphabet& alphabet = Alphabet::get();
  std::string bytes;
  bytes.reserve(letters.size());
  for (size_t at = 0; at < letters.size();) {
    const CodePoint c = decode_utf8(letters.data() + at);
    if (c.value >= alphabet.bytes.size() || alphabet.bytes[c.value] < 0) return std::nullopt;
    bytes += static_cast<char>(alphabet.bytes[c.value]);
    at += c.bytes;
  }
  return bytes;
}

std::unique_ptr<PreTokenizer> make_prefix_space() {
  return std::make_unique<PrefixSpace>();
}
std::unique_ptr<PreTokenizer> make_byte_letters() {
  return std::make_unique<ByteLetters>();
}

}  // namespace longhaul::tokenizer
