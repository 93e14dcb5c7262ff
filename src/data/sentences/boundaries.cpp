#include "data/sentences/boundaries.h"

#include <optional>

#include "data/sentences/characters.h"

namespace longhaul::sentences {
namespace {

constexpr std::string_view kMarks = ".?!";
constexpr std::string_view kAsciiSpaces = " \t\n\r\v\f";

// A mark with what it takes to be a candidate behind it.
struct Candidate {
  size_t begin;
  size_t end;
  size_t context_end;
  size_t next;
};

// Behind the mark stand spaces and a word, or a mark that is no part of a word.
std::optional<Candidate> mark_from(std::string_view text, size_t from) {
  for (size_t at = text.find_first_of(kMarks, from); at < text.size(); at = text.find_first_of(kMarks, at + 1)) {
    const size_t end = at + 1;
    if (end == text.size()) break;
    const tokenizer::CodePoint c = character_at(text, end);
    if (non_word(c.value)) return Candidate{at, end, end + c.bytes, end};
    if (!is(c.value, kSpace)) continue;
    const size_t next = skip_spaces(text, end);
    if (next < text.size()) return Candidate{at, end, skip_to_space(text, next), next};
  }
  return std::nullopt;
}

// The rest of a word up to its last mark that has anything but spaces behind it, and these spaces.
std::optional<Candidate> word_from(std::string_view text, size_t from) {
  for (size_t begin = skip_spaces(text, from); begin < text.size();) {
    const size_t word_end = skip_to_space(text, begin), following = skip_spaces(text, word_end);
    const bool last_word = following == text.size();
    const std::string_view word = text.substr(begin, word_end - begin);
    const size_t mark = last_word ? word.substr(0, word.size() - 1).find_last_of(kMarks) : word.find_last_of(kMarks);
    if (mark == std::string_view::npos) {
      begin = following;
      continue;
    }
    const size_t end = begin + mark + 1 == word_end ? following : begin + mark + 1;
    const tokenizer::CodePoint c = character_at(text, end);
    return Candidate{begin, end, non_word(c.value) ? end + c.bytes : skip_to_space(text, end), end};
  }
  return std::nullopt;
}

}  // namespace

void find_boundaries(std::string_view text, bool keep_spaces, std::vector<Boundary>& boundaries) {
  boundaries.clear();
  std::optional<Candidate> held;        // handed out once the next one turns out not to be of the same word
  size_t word_begin = 0, word_end = 0;  // what stands before it: its word, as far as ASCII spaces tell
  const auto next_candidate = [&](size_t from) { return keep_spaces ? word_from(text, from) : mark_from(text, from); };
  for (auto found = next_candidate(0); found; found = next_candidate(found->end)) {
    const std::string_view between = text.substr(word_end, found->begin - word_end);
    const size_t space = between.find_last_of(kAsciiSpaces);
    // A space right at the start does not count: so it is with NLTK, too.
    const size_t begin = space == std::string_view::npos || space == 0 ? word_begin : word_end + space + 1;
    if (held && word_end <= begin) boundaries.push_back({held->end, held->next, word_begin, held->context_end});
    held = found;
    word_begin = begin;
    word_end = found->begin;
  }
  if (held) boundaries.push_back({held->end, held->next, word_begin, held->context_end});
}

}  // namespace longhaul::sentences
