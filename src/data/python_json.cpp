#include "data/python_json.h"

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "longhaul/core/json_text.h"

namespace longhaul {

std::string python_float(double value) {
  std::array<char, 64> buffer;
  const double magnitude = std::abs(value);
  const bool exponent = magnitude != 0 && (magnitude < 1e-4 || magnitude >= 1e16);
  const auto format = exponent ? std::chars_format::scientific : std::chars_format::fixed;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format).ptr;
  std::string text(buffer.data(), end);
  if (!exponent && text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string indented(std::string_view json, std::string_view indent) {
  std::string out;
  for (const char c : json) {
    out += c;
    if (c == '\n') out += indent;
  }
  return out;
}

std::string quoted(const std::string& text) {
  return ascii_json_text(nlohmann::json(text));
}

}  // namespace longhaul
