// JSON lines: one object a line, of which only the text under some keys is wanted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul {

// The text of one document under each key: one string, or several where the value is a list of strings
// (sentences).
using KeyTexts = std::vector<std::vector<std::string>>;

// Reads the values under `keys` from one line, in the order of the keys. Returns what is wrong with the line,
// in words that follow "FILE, line N: ", or nothing when all is well. A key that appears twice has its last
// value. Malformed JSON, a blank line, invalid UTF-8, a missing key and a value that is neither a string nor
// a list of strings are wrong.
std::optional<std::string> parse_json_line(std::string_view line, const std::vector<std::string>& keys,
                                           KeyTexts& texts);

// Where a line is, for messages.
struct LinePlace {
  std::string file;
  int64_t line = 1;  // from 1
  int64_t byte = 0;  // offset of the line's first byte
};
std::string describe(const LinePlace& place);  // "corpus.jsonl, line 17 (byte 52340)"

}  // namespace longhaul
