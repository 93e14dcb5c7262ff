#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/tokenizer/tokenizer.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/json_text.h"
#include "longhaul/data/jsonl.h"

namespace longhaul::cli {

std::shared_ptr<const Tokenizer> open_tokenizer(const std::string& path) {
  return path.ends_with(".json") ? Tokenizer::from_file(path) : Tokenizer::from_folder(path);
}

void add_text_input(const Command& command, TextInput& input) {
  const Option text = command.option("--text", input.text, "the text; without it and --jsonl, standard input is read");
  command.option("--jsonl", input.jsonl, "file of JSON lines with one text each; - is standard input").excludes(text);
  command.option("--key", input.key, "where in a JSON line the text is").show_default();
}

std::string read_standard_input() {
  return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

void for_each_line(const std::string& file, const std::function<void(std::string_view, int64_t)>& use) {
  int64_t number = 0;
  if (file == "-") {
    for (std::string line; std::getline(std::cin, line);) use(line, ++number);
    return;
  }
  const MappedFile mapped(file);
  for (std::string_view rest = mapped.text(); !rest.empty();) {
    const size_t end = rest.find('\n');
    use(rest.substr(0, end), ++number);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
}

void for_each_text(const TextInput& input, const std::function<void(std::string_view)>& use) {
  if (input.text) return use(*input.text);
  if (!input.jsonl) return use(read_standard_input());
  KeyTexts texts;
  for_each_line(*input.jsonl, [&](std::string_view line, int64_t number) {
    if (const auto wrong = parse_json_line(line, {input.key}, texts)) {
      throw UserError("{}, line {}: {}", *input.jsonl == "-" ? "standard input" : *input.jsonl, number, *wrong);
    }
    for (const std::string& text : texts.front().strings) use(text);
  });
}

std::string quote_token(std::string_view token) {
  return lenient_json_text(nlohmann::json(token));
}

}  // namespace longhaul::cli
