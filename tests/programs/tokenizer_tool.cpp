// Encodes and decodes for the parity tests, and measures.
//   tokenizer_tool PATH             JSON lines {"text": …} on standard input; for each one
//                                   {"ids": […], "plain_ids": […], "decoded": …, "skipped": …, "streamed": …,
//                                    "placed_ids": […], "offsets": [[begin, end], …]}
//   tokenizer_tool PATH --bytes     the same for {"text": [byte, …]}
//   tokenizer_tool PATH --decode    the same for {"text": [id, …]}, "decoded" and "streamed" only
//   tokenizer_tool PATH --info      one line about the tokenizer
//   tokenizer_tool PATH --speed F N encodes the texts of a file of such lines with N threads and prints MB/s, the
//                                   best of several rounds
// PATH is a tokenizer.json or a folder with one.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <thread>

#include "longhaul/core/error.h"
#include "longhaul/data/tokenizer/stream_decoder.h"
#include "longhaul/data/tokenizer/tokenizer.h"

namespace {

using longhaul::StreamDecoder;
using longhaul::Tokenizer;

std::string stream(const std::shared_ptr<const Tokenizer>& tokenizer, const std::vector<int32_t>& ids) {
  StreamDecoder decoder(tokenizer);
  std::string text;
  for (const int32_t id : ids) text += decoder.push(id);
  return text + decoder.finish();
}

void answer(const std::shared_ptr<const Tokenizer>& tokenizer, std::string_view mode) {
  std::string line;
  longhaul::EncodeScratch scratch(*tokenizer);
  while (std::getline(std::cin, line)) {
    const auto input = nlohmann::json::parse(line).at("text");
    std::vector<int32_t> ids;
    if (mode == "--decode") {
      ids = input.get<std::vector<int32_t>>();
      std::cout << nlohmann::json{{"decoded", tokenizer->decode(ids)}, {"streamed", stream(tokenizer, ids)}}.dump()
                << '\n';
      continue;
    }
    std::string text;
    if (mode == "--bytes") {
      for (const auto& byte : input) text += static_cast<char>(byte.get<int>());
    } else {
      text = input.get<std::string>();
    }
    tokenizer->encode(text, true, ids, scratch);
    std::vector<int32_t> placed_ids;
    std::vector<std::pair<size_t, size_t>> offsets;
    for (const longhaul::TokenPlace& place : tokenizer->encode_with_offsets(text)) {
      placed_ids.push_back(place.id);
      offsets.emplace_back(place.begin_character, place.end_character);
    }
    const nlohmann::json out{{"ids", ids},
                             {"placed_ids", placed_ids},
                             {"offsets", offsets},
                             {"plain_ids", tokenizer->encode(text, false)},
                             {"decoded", tokenizer->decode(ids)},
                             {"skipped", tokenizer->decode(ids, true)},
                             {"streamed", stream(tokenizer, ids)}};
    std::cout << out.dump() << '\n';
  }
}

void inform(const Tokenizer& tokenizer) {
  const auto number = [](std::optional<int32_t> id) { return id ? nlohmann::json(*id) : nlohmann::json(); };
  std::cout << nlohmann::json{{"vocab_size", tokenizer.vocab_size()},
                              {"bos", number(tokenizer.bos_id())},
                              {"eos", number(tokenizer.eos_id())},
                              {"pad", number(tokenizer.pad_id())}}
                   .dump()
            << '\n';
}

void measure(const Tokenizer& tokenizer, const char* path, int threads) {
  std::ifstream file(path);
  std::vector<std::string> texts;
  size_t bytes = 0;
  for (std::string line; std::getline(file, line); bytes += texts.back().size())
    texts.push_back(nlohmann::json::parse(line).at("text").get<std::string>());
  double best = 1e9;
  std::atomic<size_t> tokens;
  for (int round = 0; round < 5; ++round) {
    std::atomic<size_t> next = 0;
    tokens = 0;
    const auto work = [&] {
      longhaul::EncodeScratch scratch(tokenizer);
      std::vector<int32_t> ids;
      for (size_t i; (i = next++) < texts.size();) {
        ids.clear();
        tokenizer.encode(texts[i], true, ids, scratch);
        tokens += ids.size();
      }
    };
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> others;
    for (int i = 1; i < threads; ++i) others.emplace_back(work);
    work();
    for (std::thread& thread : others) thread.join();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::cout << nlohmann::json{{"bytes", bytes},
                              {"tokens", tokens.load()},
                              {"mb_per_s", static_cast<double>(bytes) / best / 1e6}}
                   .dump()
            << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 2) throw longhaul::UserError("usage: tokenizer_tool PATH [--bytes | --decode | --info | --speed FILE]");
    const std::filesystem::path path = argv[1];
    const auto tokenizer =
        std::filesystem::is_directory(path) ? Tokenizer::from_folder(path) : Tokenizer::from_file(path);
    const std::string_view mode = argc > 2 ? argv[2] : "";
    if (mode == "--info") {
      inform(*tokenizer);
    } else if (mode == "--speed" && argc > 3) {
      measure(*tokenizer, argv[3], argc > 4 ? std::stoi(argv[4]) : 1);
    } else {
      answer(tokenizer, mode);
    }
    return 0;
  } catch (const longhaul::Error& error) {
    std::cerr << "tokenizer_tool: " << error.what() << '\n';
    return error.exit_code();
  }
}
