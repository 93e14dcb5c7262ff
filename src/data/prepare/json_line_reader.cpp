// simdjson reads a line many times as fast as the scanner of json_scanner.cpp, which has the last word: whatever
// simdjson refuses (NaN, large numbers, very long lines), or is known to take differently in one of its versions
// (escaped surrogates), the scanner reads, and it says what is wrong with a line.
#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "longhaul/data/jsonl.h"

namespace longhaul {
namespace {

// Longer lines are left to the scanner: simdjson wants a dozen bytes of memory for each byte of the longest.
constexpr size_t kFastBytes = size_t{1} << 20;

// Whether \uD800 … \uDFFF may stand in the line.
bool may_escape_surrogates(std::string_view line) {
  for (size_t at = line.find('\\'); at != std::string_view::npos; at = line.find('\\', at + 1)) {
    if (at + 2 < line.size() && line[at + 1] == 'u' && (line[at + 2] | 0x20) == 'd') return true;
  }
  return false;
}

bool get_text(simdjson::dom::element value, KeyText& text) {
  std::string_view string;
  text.strings.clear();
  text.list = false;
  if (value.get(string) == simdjson::SUCCESS) {
    text.strings.emplace_back(string);
    return true;
  }
  simdjson::dom::array list;
  if (value.get(list) != simdjson::SUCCESS) return false;
  text.list = true;
  for (const simdjson::dom::element item : list) {
    if (item.get(string) != simdjson::SUCCESS) return false;
    text.strings.emplace_back(string);
  }
  return true;
}

}  // namespace

struct JsonLineReader::FastParser {
  simdjson::dom::parser parser{kFastBytes};
  std::vector<std::optional<simdjson::dom::element>> found;

  // False when the line is not what simdjson reads; `texts` is anything then.
  bool read(std::string_view line, const std::vector<std::string>& keys, KeyTexts& texts) {
    if (may_escape_surrogates(line)) return false;
    simdjson::dom::object object;
    if (parser.parse(line.data(), line.size()).get(object) != simdjson::SUCCESS) return false;
    found.assign(keys.size(), std::nullopt);
    for (const simdjson::dom::key_value_pair field : object) {
      const auto at = std::find(keys.begin(), keys.end(), field.key);
      if (at != keys.end()) found[static_cast<size_t>(at - keys.begin())] = field.value;
    }
    texts.resize(keys.size());
    for (size_t i = 0; i < keys.size(); ++i) {
      if (!found[i] || !get_text(*found[i], texts[i])) return false;
    }
    return true;
  }
};

JsonLineReader::JsonLineReader(std::vector<std::string> keys)
    : keys_(std::move(keys)), fast_(std::make_unique<FastParser>()) {}
JsonLineReader::~JsonLineReader() = default;
JsonLineReader::JsonLineReader(JsonLineReader&&) noexcept = default;
JsonLineReader& JsonLineReader::operator=(JsonLineReader&&) noexcept = default;

std::optional<std::string> JsonLineReader::read(std::string_view line, KeyTexts& texts) {
  // A byte order mark inside a file is an error; some versions of simdjson would pass over it.
  if (line.starts_with('{') && fast_->read(line, keys_, texts)) return std::nullopt;
  return parse_json_line(line, keys_, texts);
}

std::string describe(const LinePlace& place) {
  if (place.line == 0) return fmt::format("{}, byte {}", place.file, place.byte);
  return fmt::format("{}, line {} (byte {})", place.file, place.line, place.byte);
}

}  // namespace longhaul
