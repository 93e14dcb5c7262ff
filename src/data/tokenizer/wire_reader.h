// The wire format of protocol buffers: a message is a row of fields, each a number, a kind and a value. Only
// what reading needs, and no schema.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>

namespace longhaul::tokenizer {

class WireReader {
 public:
  explicit WireReader(std::string_view message) : rest_(message) {}

  struct Field {
    uint32_t number;
    uint64_t integer;        // of a number
    std::string_view bytes;  // of a string or a message
    float real() const { return std::bit_cast<float>(static_cast<uint32_t>(integer)); }
  };

  // The next field; nothing at the end, or where the message is damaged.
  std::optional<Field> next() {
    if (rest_.empty()) return std::nullopt;
    const auto key = varint();
    if (!key) return std::nullopt;
    Field field{static_cast<uint32_t>(*key >> 3), 0, {}};
    switch (*key & 7) {
      case 0: {
        const auto value = varint();
        if (!value) return std::nullopt;
        field.integer = *value;
        return field;
      }
      case 1:
        return fixed(field, 8);
      case 2: {
        const auto size = varint();
        if (!size || *size > rest_.size()) return fail();
        field.bytes = rest_.substr(0, *size);
        rest_.remove_prefix(*size);
        return field;
      }
      case 5:
        return fixed(field, 4);
      default:
        return fail();
    }
  }
  bool damaged() const { return damaged_; }

 private:
  std::nullopt_t fail() {
    damaged_ = true;
    return std::nullopt;
  }
  std::optional<uint64_t> varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return fail();
      const auto byte = static_cast<unsigned char>(rest_.front());
      rest_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return value;
    }
    return fail();
  }
  std::optional<Field> fixed(Field field, size_t bytes) {
    if (bytes > rest_.size()) return fail();
    for (size_t i = 0; i < bytes; ++i) {
      field.integer |= static_cast<uint64_t>(static_cast<unsigned char>(rest_[i])) << (8 * i);
    }
    rest_.remove_prefix(bytes);
    return field;
  }

  std::string_view rest_;
  bool damaged_ = false;
};

}  // namespace longhaul::tokenizer
