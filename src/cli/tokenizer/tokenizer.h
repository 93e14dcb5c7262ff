// The verbs of `llm-pretrain tokenizer`, and what they share.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cli/command_line.h"
#include "longhaul/data/tokenizer/tokenizer.h"

namespace longhaul::cli {

void add_tokenizer_encode(const Command& parent);
void add_tokenizer_decode(const Command& parent);
void add_tokenizer_compare(const Command& parent);
void add_tokenizer_train(const Command& parent);

// A folder with a tokenizer, or a tokenizer.json by itself.
std::shared_ptr<const Tokenizer> open_tokenizer(const std::string& path);

// Where texts come from: the command line, a file of JSON lines, or else standard input, which is one text.
struct TextInput {
  std::optional<std::string> text;
  std::optional<std::string> jsonl;  // "-" is standard input
  std::string key = "text";
};
void add_text_input(const Command& command, TextInput& input);
// Calls `use` with each text. Throws UserError, naming the line, where a line is no JSON with a text.
void for_each_text(const TextInput& input, const std::function<void(std::string_view)>& use);
// Calls `use` with each line of a file ("-": of standard input) and its number, from 1.
void for_each_line(const std::string& file, const std::function<void(std::string_view, int64_t)>& use);
std::string read_standard_input();

// A token as a person reads it, in quotes; what can't be printed is escaped.
std::string quote_token(std::string_view token);

}  // namespace longhaul::cli
