#include "data/tokenizer/model.h"

#include "longhaul/core/error.h"

namespace longhaul::tokenizer {

std::array<int32_t, 256> byte_tokens(const Vocabulary& vocabulary) {
  std::array<int32_t, 256> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens[byte] = vocabulary.find(fmt::format("<0x{:02X}>", byte));
  return tokens;
}

bool append_byte_tokens(const std::array<int32_t, 256>& tokens, std::string_view text, std::vector<int32_t>& ids) {
  for (const char byte : text) {
    if (tokens[static_cast<unsigned char>(byte)] < 0) return false;
  }
  for (const char byte : text) ids.push_back(tokens[static_cast<unsigned char>(byte)]);
  return true;
}

void refuse_unknown(std::string_view text, std::string_view unknown_token) {
  const std::string_view excerpt = text.substr(0, 60);
  if (unknown_token.empty()) {
    throw UserError(
        "the tokenizer has no token for '{}', and none for unknown text either. Set model.unk_id in "
        "tokenizer.json to the id of such a token.",
        excerpt);
  }
  throw UserError(
      "the tokenizer has no token for '{}', and its unk_token \"{}\" isn't in its vocabulary either. Add that "
      "token to the vocabulary in tokenizer.json.",
      excerpt, unknown_token);
}

}  // namespace longhaul::tokenizer
