// Pre-tokenizers cut a text into pieces, each of which the model encodes by itself; some also rewrite the
// text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/matcher.h"

namespace longhaul::tokenizer {

// A text and the pieces that it has been cut into so far, in order. The text is the caller's until a
// pre-tokenizer rewrites it; then it is `own`. All buffers keep their memory from one text to the next.
struct Pieces {
  std::string_view text;
  std::vector<Span> spans;  // none empty
  // The first piece starts where the whole input does (and not behind an added token, or behind what was
  // removed).
  bool starts_input = true;

  void reset(std::string_view new_text, bool new_starts_input);
  std::string_view piece(size_t i) const { return text.substr(spans[i].begin, spans[i].end - spans[i].begin); }

  // If wanted: of each byte of `text`, the bytes of the original text that it stands for.
  bool tracks = false;
  std::vector<Span> origins;

  // Rewriting: a new text is made in `spare`, from `start_spare` to `adopt_spare`; the caller puts its pieces
  // into `spans`.
  void start_spare();
  // `bytes` in the place of the character at `at`.
  void put(std::string_view bytes, size_t at) {
    spare += bytes;
    if (tracks) spare_origins.insert(spare_origins.end(), bytes.size(), origins[at]);
  }
  // The bytes [begin, end) as they are.
  void keep(size_t begin, size_t end);
  void adopt_spare();

  // The pieces become those in `next`, which are cut out of the same text.
  void take_next();

  // Buffers of the pre-tokenizers.
  std::string own;
  std::string spare;
  std::vector<Span> spare_origins;
  std::vector<Span> next;
  std::vector<Span> matches;
};

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void apply(Pieces& pieces) const = 0;
  // The step that only replaces bytes by the letters of the byte-level alphabet, see byte_level.h. A model
  // that reads bytes makes it superfluous.
  virtual bool only_maps_bytes() const { return false; }
};

// What becomes of a match, between two gaps.
enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

// Cuts at the matches; at the gaps if `invert`.
std::unique_ptr<PreTokenizer> make_split(std::unique_ptr<Matcher> matcher, SplitBehavior behavior, bool invert);

// Words (\w) and runs of what is neither word nor space.
std::unique_ptr<PreTokenizer> make_whitespace();

// Every `length` characters.
std::unique_ptr<PreTokenizer> make_fixed_length(size_t length);
// Where the script changes.
std::unique_ptr<PreTokenizer> make_unicode_scripts();

enum class PrependScheme { first, never, always };
// Spaces become `replacement`, which may also be put before a text; with `split`, each one starts a piece.
std::unique_ptr<PreTokenizer> make_metaspace(std::string replacement, PrependScheme scheme, bool split);

// Puts a space before each piece that has none.
std::unique_ptr<PreTokenizer> make_prefix_space();
// Replaces each byte by its letter.
std::unique_ptr<PreTokenizer> make_byte_letters();

}  // namespace longhaul::tokenizer
