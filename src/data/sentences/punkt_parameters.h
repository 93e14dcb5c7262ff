// What a Punkt model knows of a language: the files of one folder of NLTK's `punkt_tab`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace longhaul::sentences {

struct StringHash : std::hash<std::string_view> {
  using is_transparent = void;
};
using StringSet = std::unordered_set<std::string, StringHash, std::equal_to<>>;

// Where a word was seen in training, and how it began there: bits of PunktParameters::contexts.
enum OrthographicContext : uint8_t {
  kBeginUpper = 2,
  kMiddleUpper = 4,
  kUnknownUpper = 8,
  kBeginLower = 16,
  kMiddleLower = 32,
  kUnknownLower = 64,
  kAnyUpper = kBeginUpper | kMiddleUpper | kUnknownUpper,
  kAnyLower = kBeginLower | kMiddleLower | kUnknownLower,
};

// All words are in lower case, numbers "##number##".
struct PunktParameters {
  StringSet abbreviations;  // abbrev_types.txt: without the full stop
  StringSet starters;       // sent_starters.txt: words that often begin a sentence
  StringSet collocations;   // collocations.tab: "a<tab>b", where the stop of "a." is no end before b
  std::unordered_map<std::string, uint8_t, StringHash, std::equal_to<>> contexts;  // ortho_context.tab
  uint64_t hash = 0;                                                               // of the four files

  // Throws UserError when a file is missing or damaged.
  static PunktParameters read(const std::filesystem::path& folder);

  uint8_t context(std::string_view word) const {
    const auto found = contexts.find(word);
    return found == contexts.end() ? 0 : found->second;
  }
};

}  // namespace longhaul::sentences
