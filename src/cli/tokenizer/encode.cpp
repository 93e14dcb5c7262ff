// llm-pretrain tokenizer encode: the ids of texts, and where each token stands.
#include <fmt/format.h>

#include "cli/tokenizer/tokenizer.h"
#include "longhaul/core/table.h"

namespace longhaul::cli {
namespace {

struct Options {
  std::string tokenizer;
  TextInput input;
  bool no_special_tokens = false;
  bool offsets = false;
};

void print_ids(const Tokenizer& tokenizer, const Options& options) {
  EncodeScratch scratch(tokenizer);
  std::vector<int32_t> ids;
  for_each_text(options.input, [&](std::string_view text) {
    ids.clear();
    tokenizer.encode(text, !options.no_special_tokens, ids, scratch);
    fmt::print("{{\"ids\": [{}]}}\n", fmt::join(ids, ", "));
  });
}

void print_places(const Tokenizer& tokenizer, const Options& options) {
  for_each_text(options.input, [&](std::string_view text) {
    TextTable table({"id", "token", "bytes", "characters", "text"});
    table.align(0, TextTable::Align::right);
    for (const TokenPlace& place : tokenizer.encode_with_offsets(text, !options.no_special_tokens)) {
      table.add({std::to_string(place.id), quote_token(tokenizer.id_to_token(place.id)),
                 fmt::format("{}-{}", place.begin_byte, place.end_byte),
                 fmt::format("{}-{}", place.begin_character, place.end_character),
                 quote_token(text.substr(place.begin_byte, place.end_byte - place.begin_byte))});
    }
    fmt::print("{}\n", table.str());
  });
}

}  // namespace

void add_tokenizer_encode(const Command& parent) {
  auto options = std::make_shared<Options>();
  const Command command = parent.subcommand("encode", "Print the ids of texts, one {\"ids\": [...]} a line");
  command.option("--tokenizer", options->tokenizer, "folder with the tokenizer, or tokenizer.json").required();
  add_text_input(command, options->input);
  command.flag("--no-special-tokens", options->no_special_tokens,
               "leave out what the tokenizer adds to a text of its own accord, such as a first token");
  command.flag("--offsets", options->offsets,
               "print a table of the tokens, with the bytes and the characters of the text that each stands for");
  command.examples(
      "Examples:\n"
      "  llm-pretrain tokenizer encode --tokenizer HF_DIR --text 'Hello world' --offsets\n"
      "  llm-pretrain tokenizer encode --tokenizer HF_DIR --no-special-tokens --jsonl corpus.jsonl");
  command.run([options] {
    const auto tokenizer = open_tokenizer(options->tokenizer);
    options->offsets ? print_places(*tokenizer, *options) : print_ids(*tokenizer, *options);
  });
}

}  // namespace longhaul::cli
