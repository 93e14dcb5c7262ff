// The JSON that Python's json.loads takes, read in one pass that keeps nothing but the wanted strings, whatever the
// length and the depth of a line.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "data/tokenizer/unicode.h"
#include "longhaul/data/jsonl.h"

namespace longhaul {
namespace {

// What is wrong with the line, at a byte of it (from 0).
struct Malformed {
  size_t at;
  std::string_view what;
};

class Scanner {
 public:
  Scanner(std::string_view line, const std::vector<std::string>& keys, KeyTexts& texts)
      : line_(line), keys_(keys), texts_(texts), problems_(keys.size()), missing_(keys.size(), true) {
    texts_.resize(keys.size());
    for (KeyText& text : texts_) text = {};
  }

  // Throws Malformed. What is wrong with the values is in `problem` afterwards.
  void scan() {
    skip_blank();
    if (peek() == '[' && line_[line_.find_last_not_of(" \t\r\n")] != ']') {
      ++at_;
      fail(
          "here a list begins that goes on in the next line, but each line must hold one object. Of a file that is one list, "
          "`jq -c '.[]' FILE > FILE.jsonl` makes such lines");
    }
    if (peek() == '{' && line_.find_first_not_of(" \t\r\n", at_ + 1) == std::string_view::npos) {
      ++at_;
      fail(
          "here an object begins that goes on in the next line, but each line must hold one object. `jq -c . FILE > "
          "FILE.jsonl` makes such lines");
    }
    if (peek() != '{') {
      const std::string_view kind = kind_of_value();
      skip_value();
      finish();
      outermost_ = fmt::format(
          "the line is {}, not an object with the key \"{}\"{}", kind, keys_.front(),
          kind == "a list" ? "; of a file that is one list, `jq -c '.[]' FILE > FILE.jsonl` makes such lines" : "");
      return;
    }
    scan_object();
    finish();
  }

  std::string problem() const {
    if (!outermost_.empty()) return outermost_;
    for (size_t i = 0; i < keys_.size(); ++i) {
      if (missing_[i]) return no_key(keys_[i]);
      if (!problems_[i].empty()) return problems_[i];
    }
    return {};
  }

 private:
  char peek() const { return at_ < line_.size() ? line_[at_] : '\0'; }
  [[noreturn]] void fail(std::string_view what) const { throw Malformed{at_, what}; }
  void skip_blank() {
    while (at_ < line_.size() && (line_[at_] == ' ' || line_[at_] == '\t' || line_[at_] == '\r' || line_[at_] == '\n'))
      ++at_;
  }
  void expect(char c, std::string_view what) {
    skip_blank();
    if (peek() != c || at_ >= line_.size()) fail(what);
    ++at_;
  }
  void finish() {
    skip_blank();
    if (at_ < line_.size()) fail("something follows the end of the value");
  }

  std::string_view kind_of_value() const {
    switch (peek()) {
      case '{':
        return "an object";
      case '[':
        return "a list";
      case '"':
        return "a string";
      case 't':
      case 'f':
        return "a boolean";
      case 'n':
        return "null";
      default:
        return "a number";
    }
  }

  void note_other(std::string_view name) {
    if (others_.size() == kOthersShown) return;
    std::string shown = shortened(name);
    if (std::find(others_.begin(), others_.end(), shown) == others_.end()) others_.push_back(std::move(shown));
  }

  // As a message may hold it: no letter cut, nothing that a terminal obeys.
  static std::string shortened(std::string_view name) {
    constexpr size_t kMost = 40;
    std::string text(name.substr(0, kMost));
    text.resize(tokenizer::valid_utf8_prefix(text));
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
    return name.size() > kMost ? text + "…" : text;
  }

  std::string no_key(const std::string& key) const {
    if (others_.empty()) return fmt::format("the object has no key \"{}\"", key);
    return fmt::format("the object has no key \"{}\", but \"{}\": --json-keys says which to take", key,
                       fmt::join(others_, "\", \""));
  }

  void scan_object() {
    ++at_;
    skip_blank();
    if (peek() == '}') {
      ++at_;
      return;
    }
    while (true) {
      skip_blank();
      std::string name;
      bool whole = true;
      read_string(&name, &whole);
      expect(':', "a colon is missing after a key");
      skip_blank();
      const auto key = whole ? std::find(keys_.begin(), keys_.end(), name) : keys_.end();
      if (key == keys_.end()) {
        if (whole) note_other(name);
        skip_value();
      } else {
        read_value(static_cast<size_t>(key - keys_.begin()));
      }
      skip_blank();
      if (peek() == '}') break;
      if (peek() != ',') fail("a comma or the object's end is missing");
      ++at_;
    }
    ++at_;
  }

  // The value of a wanted key; that of an earlier one of the same name no longer counts.
  void read_value(size_t key) {
    texts_[key] = {};
    problems_[key].clear();
    missing_[key] = false;
    if (peek() == '"') return read_text(key);
    texts_[key].list = peek() == '[';
    if (!texts_[key].list) {
      problems_[key] =
          fmt::format("the value of \"{}\" is {}, not a string or a list of strings", keys_[key], kind_of_value());
      return skip_value();
    }
    ++at_;
    skip_blank();
    if (peek() == ']') {
      ++at_;
      return;
    }
    while (true) {
      skip_blank();
      if (peek() == '"') {
        read_text(key);
      } else {
        problems_[key] = fmt::format("the list \"{}\" holds {}, not only strings", keys_[key], kind_of_value());
        skip_value();
      }
      skip_blank();
      if (peek() == ']') break;
      if (peek() != ',') fail("a comma or the list's end is missing");
      ++at_;
    }
    ++at_;
  }

  void read_text(size_t key) {
    const size_t start = at_;
    bool whole = true;
    read_string(&texts_[key].strings.emplace_back(), &whole);
    if (!whole) {
      problems_[key] = fmt::format(
          "the text of \"{}\", from byte {} of the line, holds half of a surrogate pair (\\ud800 … "
          "\\udfff), which is no character",
          keys_[key], start);
    }
  }

  // Any value, of any depth. `open` holds a bracket for each list and object that is under way.
  void skip_value() {
    std::string open;
    while (true) {
      skip_blank();
      const char c = peek();
      bool value_ended = true;
      if (c == '{' || c == '[') {
        ++at_;
        skip_blank();
        if (peek() == (c == '{' ? '}' : ']')) {
          ++at_;
        } else {
          open += c;
          value_ended = false;
        }
      } else if (c == '"') {
        read_string(nullptr, nullptr);
      } else {
        skip_scalar();
      }
      while (value_ended && !open.empty()) {
        skip_blank();
        if (peek() == ',') {
          ++at_;
          break;
        }
        if (peek() != (open.back() == '{' ? '}' : ']')) fail("a comma or the end of a list or object is missing");
        ++at_;
        open.pop_back();
      }
      if (open.empty()) return;
      if (open.back() == '{') {
        skip_blank();
        read_string(nullptr, nullptr);
        expect(':', "a colon is missing after a key");
      }
    }
  }

  void skip_scalar() {
    for (const std::string_view word : {"true", "false", "null", "NaN", "Infinity", "-Infinity"}) {
      if (line_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return;
      }
    }
    const size_t start = at_;
    if (peek() == '-') ++at_;
    if (peek() == '0') {
      ++at_;
    } else if (!skip_digits()) {
      at_ = start;
      fail(at_ < line_.size() ? "no value stands here" : "the line ends too early");
    }
    // A point or an exponent without digits is not part of the number, and what follows is then wrong.
    skip_part({"."});
    skip_part({"e+", "e-", "e", "E+", "E-", "E"});
  }
  bool skip_digits() {
    const size_t start = at_;
    while (peek() >= '0' && peek() <= '9') ++at_;
    return at_ > start;
  }
  void skip_part(std::initializer_list<std::string_view> openings) {
    for (const std::string_view opening : openings) {
      if (!line_.substr(at_).starts_with(opening)) continue;
      const size_t start = std::exchange(at_, at_ + opening.size());
      if (!skip_digits()) at_ = start;
      return;
    }
  }

  // From quote to quote. `out` may be null; `*whole` becomes false when it holds half of a surrogate pair.
  void read_string(std::string* out, bool* whole) {
    if (peek() != '"') fail(at_ < line_.size() ? "a string should stand here" : "the line ends too early");
    ++at_;
    while (true) {
      const size_t start = at_;
      while (at_ < line_.size() && kPlain[static_cast<unsigned char>(line_[at_])]) ++at_;
      if (out != nullptr) out->append(line_, start, at_ - start);
      if (at_ == line_.size()) fail("a string is not closed");
      if (line_[at_] == '"') break;
      if (line_[at_] != '\\') fail("a control character stands in a string; it must be escaped");
      read_escape(out, whole);
    }
    ++at_;
  }

  void read_escape(std::string* out, bool* whole) {
    constexpr std::string_view kNames = "\"\\/bfnrt", kMeanings = "\"\\/\b\f\n\r\t";
    const char c = at_ + 1 < line_.size() ? line_[at_ + 1] : '\0';
    if (c != 'u') {
      const size_t which = kNames.find(c);
      if (c == '\0' || which == std::string_view::npos) fail("an escape that JSON does not know");
      if (out != nullptr) *out += kMeanings[which];
      at_ += 2;
      return;
    }
    char32_t point = hex4(at_ + 2);
    if (point == kNoHex) fail("\\u without four hexadecimal digits");
    at_ += 6;
    if (point >= 0xD800 && point < 0xDC00 && line_.substr(at_).starts_with("\\u")) {
      const char32_t second = hex4(at_ + 2);
      if (second >= 0xDC00 && second < 0xE000) {
        point = 0x10000 + ((point - 0xD800) << 10) + (second - 0xDC00);
        at_ += 6;
      }
    }
    if (out == nullptr) return;
    if (point >= 0xD800 && point < 0xE000) {
      *whole = false;
      return;
    }
    tokenizer::append_utf8(*out, point);
  }

  char32_t hex4(size_t at) const {
    if (at + 4 > line_.size()) return kNoHex;
    char32_t value = 0;
    for (size_t i = at; i < at + 4; ++i) {
      const char c = line_[i], letter = static_cast<char>(c | 0x20);
      if (c >= '0' && c <= '9')
        value = value * 16 + static_cast<char32_t>(c - '0');
      else if (letter >= 'a' && letter <= 'f')
        value = value * 16 + static_cast<char32_t>(letter - 'a' + 10);
      else
        return kNoHex;
    }
    return value;
  }

  static constexpr char32_t kNoHex = 0xFFFFFFFF;
  static constexpr auto kPlain = [] {
    std::array<bool, 256> plain{};
    for (size_t c = 0x20; c < 256; ++c) plain[c] = c != '"' && c != '\\';
    return plain;
  }();

  std::string_view line_;
  const std::vector<std::string>& keys_;
  KeyTexts& texts_;
  static constexpr size_t kOthersShown = 6;
  std::vector<std::string> problems_;  // of each key's value; empty when all is well
  std::vector<bool> missing_;          // of each key
  std::vector<std::string> others_;    // the first keys that nobody asked for
  std::string outermost_;
  size_t at_ = 0;
};

}  // namespace

std::optional<std::string> parse_json_line(std::string_view line, const std::vector<std::string>& keys,
                                           KeyTexts& texts) {
  if (line.find_first_not_of(" \t\r\n") == std::string_view::npos) return "the line is blank";
  const size_t valid = tokenizer::valid_utf8_prefix(line);
  if (valid < line.size()) return fmt::format("byte {} of the line is not UTF-8", valid);
  Scanner scanner(line, keys, texts);
  try {
    scanner.scan();
  } catch (const Malformed& malformed) {
    return fmt::format("not valid JSON at byte {} of the line: {}", malformed.at, malformed.what);
  }
  std::string problem = scanner.problem();
  if (problem.empty()) return std::nullopt;
  return problem;
}

}  // namespace longhaul
