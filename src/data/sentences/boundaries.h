// Where a sentence may end in a text, and what must be looked at to decide it.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace longhaul::sentences {

// Bytes of the text.
struct Boundary {
  size_t end;            // the sentence's, if it ends here
  size_t next;           // where the next one begins then
  size_t context_begin;  // the word before the mark, the mark, and the word behind it
  size_t context_end;
};

// All places with a stop, a question or an exclamation mark that are worth a look; of several in one word the
// last. With `keep_spaces` the spaces behind a mark are the sentence's, and a mark inside a word counts.
void find_boundaries(std::string_view text, bool keep_spaces, std::vector<Boundary>& boundaries);

}  // namespace longhaul::sentences
