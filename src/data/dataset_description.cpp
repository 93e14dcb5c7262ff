#include "data/dataset_description.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "data/python_json.h"
#include "longhaul/core/error.h"
#include "longhaul/core/json_text.h"

namespace longhaul {
namespace {

using Json = nlohmann::ordered_json;

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

Json tokenizer_json(const std::string& text) {
  try {
    return read_ordered_json_text(text, "the description of the tokenizer");
  } catch (const Json::exception&) {
    throw UserError("the description of the tokenizer is not JSON: {}", text);
  }
}

}  // namespace

std::string describe(const DatasetDescription& description) {
  const Json tokenizer = tokenizer_json(description.tokenizer);
  std::string text = "{\n    \"class\": " + quoted(description.dataset_class);
  const auto field = [&](std::string_view name, const std::string& value) {
    text += fmt::format(",\n    \"{}\": {}", name, value);
  };
  field("dataset_path", quoted(description.dataset_path));
  field("num_samples", description.samples ? fmt::to_string(*description.samples) : "null");
  field("index_split", fmt::format("\"{}\"", split_name(description.index_split)));
  field("random_seed", fmt::to_string(description.seed));
  field("sequence_length", fmt::to_string(description.sequence_length));
  field("split", description.split ? quoted(*description.split) : "null");
  field("split_matrix", description.split ? matrix_text(parse_split(*description.split)) : "null");
  field("tokenizer", indented(ascii_json_text(tokenizer, 4), "    "));
  for (const auto& [name, value] : description.more) field(name, value);
  return text + "\n}";
}

std::string dataset_name(const std::string& prefix, Split split, const std::optional<std::string>& split_string) {
  return split_string
             ? fmt::format("the {} split (data.split = \"{}\") of {}", split_name(split), *split_string, prefix)
             : fmt::format("the {} dataset {}", split_name(split), prefix);
}

}  // namespace longhaul
