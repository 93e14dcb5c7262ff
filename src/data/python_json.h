// Pieces of JSON text exactly as Python's `json.dumps(…, indent=4)` prints them, for descriptions whose MD5 must be
// Megatron's.
#pragma once

#include <string>
#include <string_view>

namespace longhaul {

// A double: the shortest digits that round-trip, always with .0 or an exponent.
std::string python_float(double value);
// A text of several lines as it stands `indent` deeper; the first line stays.
std::string indented(std::string_view json, std::string_view indent);
// A string: non-ASCII as \uXXXX; bytes that are not UTF-8 as the replacement character.
std::string quoted(const std::string& text);

}  // namespace longhaul
