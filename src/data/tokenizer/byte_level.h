// The byte-level alphabet: each of the 256 bytes has a letter of its own, so that any text is a string of
// printable letters. Printable Latin-1 bytes are themselves; the other 68 are U+0100, U+0101, … in order.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace longhaul::tokenizer {

// The letter of each byte, in UTF-8 (one or two bytes).
const std::array<std::string, 256>& byte_letters();

// The bytes that `letters` stand for; nullopt when it has a character outside of the alphabet.
std::optional<std::string> bytes_of_letters(std::string_view letters);

}  // namespace longhaul::tokenizer
