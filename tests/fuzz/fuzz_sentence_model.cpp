// The files of a sentence model, and a text that is split with it. The input is the four files and the text,
// one after another with a NUL between each two.
#include <array>
#include <memory>

#include "data/sentences/characters.h"
#include "data/tokenizer/unicode.h"
#include "fuzz_target.h"
#include "longhaul/core/error.h"
#include "longhaul/data/sentence_splitter.h"
#include "scratch_folder.h"

namespace longhaul::fuzz {
namespace {

using std::string_literals::operator""s;

constexpr std::array kFiles{"abbrev_types.txt", "collocations.tab", "sent_starters.txt", "ortho_context.tab"};

// Sentences are parts of the text, in order, and what is between them is space alone.
void split(const SentenceSplitter& splitter, std::string_view text) {
  std::vector<std::string_view> sentences;
  splitter.split(text, sentences);
  size_t at = 0;
  for (const std::string_view sentence : sentences) {
    const auto begin = static_cast<size_t>(sentence.data() - text.data());
    LONGHAUL_CHECK(!sentence.empty() && begin >= at && begin + sentence.size() <= text.size(),
                   "not a part of the rest");
    LONGHAUL_CHECK(sentences::stripped_size(text.substr(at, begin - at)) == 0, "text is lost between sentences");
    at = begin + sentence.size();
  }
  LONGHAUL_CHECK(sentences::stripped_size(text.substr(at)) == 0, "text is lost at the end");
}

}  // namespace

FuzzTarget fuzz_target() {
  auto folder = std::make_shared<ScratchFolder>();
  FuzzTarget target;
  target.seeds = {
      "dr\nu.s\n\0b\tstewart\n##number##\tjan\n\0the\nbut\n\0the\t126\nsmith\t12\nrun\t32\n\0"
      "Dr. Smith ran. \"The U.S. is . . . big!\" (Run 1. Jan. B. Stewart.) the end?! -- ... a.b"s,
      "z.b\nusw\n\0\0\0und\t48\n\0Z.B. \xC2\xBBso.\xC2\xAB \xE2\x80\x9Cno.\xE2\x80\x9D \xCE\x91\xCE\xA3. \xC4\xB0.\n\n\xE6\x9D\xB1\xE4\xBA\xAC."s,
  };
  target.words = {". ", ".\"", "...", ". . .",      "?!", "--",  "\xC2\xA0", "\xE2\x80\x9D",
                  "\n", "\t",  "\0"s, "##number##", "1.", "A. ", "\xCE\xA3"};
  target.read = [folder](std::string_view input) {
    for (const char* name : kFiles) {
      const size_t end = std::min(input.find('\0'), input.size());
      folder->write(name, input.substr(0, end));
      input.remove_prefix(std::min(end + 1, input.size()));
    }
    const std::string text = tokenizer::replace_invalid_utf8(input);
    for (const bool keep_newlines : {false, true}) split(SentenceSplitter(folder->path(""), keep_newlines), text);
  };
  return target;
}

}  // namespace longhaul::fuzz
