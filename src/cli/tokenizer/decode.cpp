// llm-pretrain tokenizer decode: the text of ids.
#include <fmt/format.h>

#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cli/tokenizer/tokenizer.h"
#include "longhaul/core/error.h"
#include "longhaul/core/json_text.h"

namespace longhaul::cli {
namespace {

struct Options {
  std::string tokenizer;
  std::optional<std::string> ids;
  std::optional<std::string> jsonl;
  bool skip_special_tokens = false;
};

// Numbers with commas, white space or brackets between.
std::vector<int32_t> parse_ids(std::string_view text) {
  std::vector<int32_t> ids;
  for (size_t at = 0; (at = text.find_first_not_of(" ,\t\r\n[]", at)) != std::string_view::npos;) {
    const std::string_view word = text.substr(at, text.find_first_of(" ,\t\r\n[]", at) - at);
    int32_t id = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), id);
    if (error != std::errc() || end != word.data() + word.size()) {
      throw UserError("\"{}\" is no token id; give whole numbers with commas or spaces between", word.substr(0, 40));
    }
    ids.push_back(id);
    at += word.size();
  }
  return ids;
}

std::vector<int32_t> ids_of_line(std::string_view line, const std::string& file, int64_t number) {
  const auto json = json_or_null(line);
  const auto ids = json.is_object() ? json.find("ids") : json.end();
  const auto is_id = [](const nlohmann::json& id) { return id.is_number_integer() && id >= 0 && id <= INT32_MAX; };
  if (!json.is_object() || ids == json.end() || !ids->is_array() || !std::all_of(ids->begin(), ids->end(), is_id)) {
    throw UserError("{}, line {}: expected {{\"ids\": [...]}}, as `tokenizer encode` prints it",
                    file == "-" ? "standard input" : file, number);
  }
  return ids->get<std::vector<int32_t>>();
}

void require_known(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  for (const int32_t id : ids) {
    if (id < 0 || id >= tokenizer.vocab_size()) {
      throw UserError("{} is no token id of this tokenizer: they go from 0 to {}", id, tokenizer.vocab_size() - 1);
    }
  }
}

void decode(const Options& options) {
  const auto tokenizer = open_tokenizer(options.tokenizer);
  if (options.jsonl) {
    for_each_line(*options.jsonl, [&](std::string_view line, int64_t number) {
      const std::vector<int32_t> ids = ids_of_line(line, *options.jsonl, number);
      require_known(*tokenizer, ids);
      const std::string text = tokenizer->decode(ids, options.skip_special_tokens);
      fmt::print("{}\n", json_text(nlohmann::json{{"text", text}}));
    });
    return;
  }
  const std::vector<int32_t> ids = parse_ids(options.ids ? *options.ids : read_standard_input());
  require_known(*tokenizer, ids);
  const std::string text = tokenizer->decode(ids, options.skip_special_tokens);
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fputc('\n', stdout);
}

}  // namespace

void add_tokenizer_decode(const Command& parent) {
  auto options = std::make_shared<Options>();
  const Command command = parent.subcommand("decode", "Print the text of ids");
  command.option("--tokenizer", options->tokenizer, "folder with the tokenizer, or tokenizer.json").required();
  const Option ids = command.option("--ids", options->ids, "the ids; without them and --jsonl, standard input is read");
  command
      .option("--jsonl", options->jsonl,
              "file of {\"ids\": [...]} lines, each of which gives a {\"text\": ...} line; - is standard input")
      .excludes(ids);
  command.flag("--skip-special-tokens", options->skip_special_tokens, "leave out special tokens");
  command.examples(
      "Examples:\n"
      "  llm-pretrain tokenizer decode --tokenizer HF_DIR --ids '9906, 1917'\n"
      "  llm-pretrain tokenizer encode --tokenizer A --jsonl c.jsonl | llm-pretrain tokenizer decode --tokenizer A --jsonl -");
  command.run([options] { decode(*options); });
}

}  // namespace longhaul::cli
