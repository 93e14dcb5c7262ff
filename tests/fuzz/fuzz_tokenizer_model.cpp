// SentencePiece's tokenizer.model: a protocol buffer, made here by hand.
#include <bit>
#include <cstring>
#include <memory>

#include "fuzz_target.h"
#include "scratch_folder.h"
#include "use_tokenizer.h"

namespace longhaul::fuzz {
namespace {

std::string varint(uint64_t value) {
  std::string out;
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}
std::string integer(uint32_t number, uint64_t value) {
  return varint(number << 3) + varint(value);
}
std::string bytes(uint32_t number, const std::string& value) {
  return varint(number << 3 | 2) + varint(value.size()) + value;
}
std::string real(uint32_t number, float value) {
  std::string out = varint(number << 3 | 5) + std::string(4, '\0');
  std::memcpy(out.data() + out.size() - 4, &value, 4);
  return out;
}

std::string piece(const std::string& text, float score, uint64_t type = 1) {
  return bytes(1, bytes(1, text) + real(2, score) + (type == 1 ? "" : integer(3, type)));
}

// A model of one kind (1 Unigram, 2 BPE), with byte pieces where `byte_fallback`.
std::string model(uint64_t kind, bool byte_fallback) {
  std::string out = piece("<unk>", 0, 2) + piece("<s>", 0, 3) + piece("</s>", 0, 3) + piece("two words", 0, 4);
  for (int byte = 0; byte_fallback && byte < 256; ++byte) out += piece(fmt::format("<0x{:02X}>", byte), 0, 6);
  float score = -1;
  for (const char* text : {"▁", "▁t", "▁the", "th", "he", "t", "h", "e", "a", "b", "ab", "1", "é"})
    out += piece(text, score -= 0.5F);
  out += bytes(2, integer(3, kind) + integer(4, 100) + (byte_fallback ? integer(35, 1) : "") + integer(40, 0) +
                      integer(41, 1) + integer(42, 2) + integer(43, UINT64_MAX) + bytes(45, "<unk>"));
  // A double array of one entry that leads nowhere, and no replacements.
  const std::string charsmap = std::string("\x04\0\0\0\0\0\0\0", 8) + std::string("x\0", 2);
  return out + bytes(3, bytes(1, "nmt_nfkc") + (byte_fallback ? "" : bytes(2, charsmap)) + integer(3, 1) +
                            integer(4, 1) + integer(5, 1));
}

}  // namespace

FuzzTarget fuzz_target() {
  auto folder = std::make_shared<ScratchFolder>();
  FuzzTarget target;
  target.seeds = {model(1, false), model(2, false), model(2, true)};
  target.read = [folder](std::string_view input) {
    folder->write("tokenizer.model", input);
    use(*Tokenizer::from_folder(folder->path("")));
  };
  return target;
}

}  // namespace longhaul::fuzz
