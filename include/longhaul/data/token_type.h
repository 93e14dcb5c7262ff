// How a token id is stored in a `.bin` file: the dtype codes of Megatron's indexed datasets.
#pragma once

#include <cstdint>
#include <optional>

namespace longhaul {

// The values are the codes in the `.idx` header. Codes 6 and 7 (floating point) hold no token ids.
enum class TokenType : uint8_t { uint8 = 1, int8 = 2, int16 = 3, int32 = 4, int64 = 5, uint16 = 8 };

// Bytes of one id.
constexpr int64_t token_bytes(TokenType type) {
  switch (type) {
    case TokenType::uint8:
    case TokenType::int8:
      return 1;
    case TokenType::int16:
    case TokenType::uint16:
      return 2;
    case TokenType::int32:
      return 4;
    case TokenType::int64:
      return 8;
  }
  return 0;
}

// What Megatron's preprocessing writes: uint16 below 65500 ids, int32 otherwise or when the size isn't known.
constexpr TokenType token_type_for_vocabulary(std::optional<int64_t> vocab_size) {
  return vocab_size && *vocab_size < 65500 ? TokenType::uint16 : TokenType::int32;
}

}  // namespace longhaul
