#include "data/gpt_description.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

using Json = nlohmann::ordered_json;

std::string indented(const std::string& json, std::string_view indent) {
  std::string out;
  for (const char c : json) {
    out += c;
    if (c == '\n') out += indent;
  }
  return out;
}

// Non-ASCII as \uXXXX; bytes that are not UTF-8 as the replacement character.
std::string quoted(const std::string& text) {
  return Json(text).dump(-1, ' ', true, Json::error_handler_t::replace);
}

std::string matrix_text(const SplitMatrix& matrix) {
  std::string out = "[";
  for (size_t i = 0; i < matrix.size(); ++i) {
    out += i == 0 ? "\n        " : ",\n        ";
    if (!matrix[i]) {
      out += "null";
      continue;
    }
    // The very first border is Python's integer 0.
    const std::string begin = i == 0 ? "0" : python_float(matrix[i]->begin);
    out += fmt::format("[\n            {},\n            {}\n        ]", begin, python_float(matrix[i]->end));
  }
  return out + "\n    ]";
}

}  // namespace

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

std::string describe(const GptDescription& description, const GptOrder& order) {
  const Json tokenizer = Json::parse(description.tokenizer, nullptr, false);
  if (tokenizer.is_discarded()) {
    throw UserError("the description of the tokenizer is not JSON: {}", description.tokenizer);
  }
  std::string text = "{\n    \"class\": \"GPTDataset\"";
  const auto field = [&](std::string_view name, const std::string& value) {
    text += fmt::format(",\n    \"{}\": {}", name, value);
  };
  field("dataset_path", quoted(description.dataset_path));
  field("num_samples", order.samples ? fmt::to_string(*order.samples) : "null");
  field("index_split", fmt::format("\"{}\"", split_name(description.index_split)));
  field("random_seed", fmt::to_string(order.seed));
  field("sequence_length", fmt::to_string(order.sequence_length));
  field("split", description.split ? quoted(*description.split) : "null");
  field("split_matrix", description.split ? matrix_text(parse_split(*description.split)) : "null");
  field("tokenizer", indented(tokenizer.dump(4, ' ', true), "    "));
  return text + "\n}";
}

}  // namespace longhaul
