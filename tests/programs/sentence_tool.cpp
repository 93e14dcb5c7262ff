// Splits texts for the tests: sentence_tool MODEL [--keep-newlines] reads JSON lines {"text": …} from
// standard input and prints the list of sentences of each.
#include <fmt/core.h>

#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "longhaul/data/sentence_splitter.h"

int main(int argc, char** argv) {
  const longhaul::SentenceSplitter splitter(argv[1], argc > 2 && std::string(argv[2]) == "--keep-newlines");
  std::vector<std::string_view> sentences;
  for (std::string line; std::getline(std::cin, line);) {
    const auto text = nlohmann::json::parse(line).at("text").get<std::string>();
    sentences.clear();
    splitter.split(text, sentences);
    fmt::print("{}\n", nlohmann::json(sentences).dump());
  }
}
