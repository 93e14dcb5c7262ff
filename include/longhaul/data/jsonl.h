// JSON lines: one object a line, of which only the text under some keys is wanted.
//
// What counts as JSON is what Python's json.loads takes, because that is what wrote and read the corpora: NaN and
// Infinity, numbers of any size, any depth, and of a key that stands twice the last value. A text that holds half of a
// surrogate pair, which Python takes and no tokenizer does, is an error.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul {

// The text of one document under a key: one string, or those of a list (sentences).
struct KeyText {
  std::vector<std::string> strings;
  bool list = false;
  bool operator==(const KeyText&) const = default;
};
using KeyTexts = std::vector<KeyText>;  // under each key

// Reads the values under `keys` from one line, in the order of the keys. Returns what is wrong with the line,
// in words that follow "FILE, line N: ", or nothing when all is well. Malformed JSON, a blank line, invalid UTF-8, a
// missing key and a value that is neither a string nor a list of strings are wrong.
std::optional<std::string> parse_json_line(std::string_view line, const std::vector<std::string>& keys,
                                           KeyTexts& texts);

// The same for many lines, with simdjson where it has the same view of a line. Used by one thread at a time.
class JsonLineReader {
 public:
  explicit JsonLineReader(std::vector<std::string> keys);
  ~JsonLineReader();
  JsonLineReader(JsonLineReader&&) noexcept;
  JsonLineReader& operator=(JsonLineReader&&) noexcept;

  std::optional<std::string> read(std::string_view line, KeyTexts& texts);

 private:
  struct FastParser;
  std::vector<std::string> keys_;
  std::unique_ptr<FastParser> fast_;
};

// Where a line is, for messages.
struct LinePlace {
  std::string file;
  int64_t line = 1;  // from 1; 0 where it isn't known
  int64_t byte = 0;  // offset of the line's first byte
};
std::string describe(const LinePlace& place);  // "corpus.jsonl, line 17 (byte 52340)"

}  // namespace longhaul
