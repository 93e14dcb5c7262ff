#include "data/sentences/punkt_words.h"

#include "data/sentences/characters.h"

namespace longhaul::sentences {
namespace {

using tokenizer::CodePoint;

size_t run_of(char c, std::string_view text, size_t at) {
  size_t end = at;
  while (end < text.size() && text[end] == c) ++end;
  return end - at;
}

// The bytes of the mark of several characters that begins here: dashes, stops, or stops with a space between
// each two; 0 if there is none.
size_t long_mark(std::string_view text, size_t at) {
  const char first = text[at];
  if (first != '-' && first != '.') return 0;
  if (const size_t run = run_of(first, text, at); run >= 2) return run;
  if (first == '-') return 0;
  size_t end = 0;  // behind the last stop that has two or more before it
  size_t i = at;
  for (int stops = 1;; ++stops) {
    if (stops >= 3) end = i + 1;
    if (i + 1 >= text.size()) break;
    const CodePoint space = character_at(text, i + 1);
    if (!is(space.value, kSpace)) break;
    const size_t next = i + 1 + space.bytes;
    if (next >= text.size() || text[next] != '.') break;
    i = next;
  }
  return end == 0 ? 0 : end - at;
}

// Whether a word ends before this byte, which may be the line's end.
bool ends_word(std::string_view line, size_t at) {
  if (at >= line.size()) return true;
  const char32_t c = character_at(line, at).value;
  return is(c, kSpace) || non_word(c) || long_mark(line, at) > 0;
}

bool begins_word(char32_t c) {
  return c >= 128 || std::string_view("(\"`{[:;&#*@)}]-,").find(static_cast<char>(c)) == std::string_view::npos;
}

// A number with stops, commas and dashes in it, and perhaps a sign before it.
bool number(std::string_view text) {
  size_t at = text.starts_with('-') ? 1 : 0;
  if (at < text.size() && (text[at] == '.' || text[at] == ',')) ++at;
  const auto digit = [&] { return is(character_at(text, at).value, kDigit); };
  if (at >= text.size() || !digit()) return false;
  while (at < text.size()) {
    if (text[at] != ',' && text[at] != '.' && text[at] != '-' && !digit()) return false;
    at += character_at(text, at).bytes;
  }
  return true;
}

bool known_abbreviation(std::string_view lower, const PunktParameters& parameters) {
  if (parameters.abbreviations.contains(lower)) return true;
  const size_t dash = lower.rfind('-');
  return dash != std::string_view::npos && parameters.abbreviations.contains(lower.substr(dash + 1));
}

}  // namespace

void append_words(std::string_view line, std::vector<std::string_view>& words) {
  for (size_t at = 0; at < line.size();) {
    const CodePoint c = character_at(line, at);
    size_t end = at + c.bytes;
    if (is(c.value, kSpace)) {
      at = end;
      continue;
    }
    if (const size_t mark = long_mark(line, at); mark > 0) {
      end = at + mark;
    } else if (begins_word(c.value)) {
      while (!ends_word(line, end) && !(line[end] == ',' && ends_word(line, end + 1)))
        end += character_at(line, end).bytes;
    }
    words.push_back(line.substr(at, end - at));
    at = end;
  }
}

std::string_view PunktWord::type_without_stop() const {
  std::string_view bare = type;
  if (bare.size() > 1 && bare.ends_with('.')) bare.remove_suffix(1);
  return bare;
}

bool PunktWord::initial() const {
  const CodePoint first = character_at(text, 0);
  return text.size() == first.bytes + 1 && text.back() == '.' && is(first.value, kLetter);
}

bool PunktWord::begins_upper() const {
  return is(character_at(text, 0).value, kUpper);
}
bool PunktWord::begins_lower() const {
  return is(character_at(text, 0).value, kLower);
}

void classify(std::string_view text, const PunktParameters& parameters, PunktWord& word) {
  word.text = text;
  word.type.clear();
  append_lower(text, word.type);
  const std::string_view lower_without_stop = word.type;
  word.ends_sentence = word.abbreviation = word.ellipsis = false;
  if (text == "." || text == "?" || text == "!") {
    word.ends_sentence = true;
  } else if (text.ends_with("..")) {
    word.ellipsis = run_of('.', text, 0) == text.size();
  } else if (text.ends_with('.')) {
    word.abbreviation = known_abbreviation(lower_without_stop.substr(0, lower_without_stop.size() - 1), parameters);
    word.ends_sentence = !word.abbreviation;
  }
  if (number(word.type)) word.type = kNumberType;
}

}  // namespace longhaul::sentences
