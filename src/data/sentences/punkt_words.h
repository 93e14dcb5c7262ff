// A stretch of text as Punkt's words: runs without spaces, off which most punctuation is cut, but not the
// full stop.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "data/sentences/punkt_parameters.h"

namespace longhaul::sentences {

// Appends the words of one line.
void append_words(std::string_view line, std::vector<std::string_view>& words);

// A word with what is known of it.
struct PunktWord {
  std::string_view text;
  std::string type;  // in lower case; all numbers are one type
  bool ends_sentence = false;
  bool abbreviation = false;
  bool ellipsis = false;

  bool ends_with_stop() const { return text.ends_with('.'); }
  std::string_view type_without_stop() const;
  // Without the stop if that ends the sentence.
  std::string_view type_without_end() const { return ends_sentence ? type_without_stop() : std::string_view(type); }
  bool initial() const;  // one letter and a stop
  bool begins_upper() const;
  bool begins_lower() const;
};
inline constexpr std::string_view kNumberType = "##number##";

// What a word is by itself.
void classify(std::string_view text, const PunktParameters& parameters, PunktWord& word);

}  // namespace longhaul::sentences
