#include "data/sentences/punkt_parameters.h"

#include <charconv>
#include <system_error>

#include "data/tokenizer/unicode.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/hash.h"

namespace longhaul::sentences {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void refuse(const fs::path& file, size_t line, std::string_view what) {
  throw UserError("{}, line {}: {}; fetch NLTK's punkt_tab again", file.string(), line, what);
}

// Hands out the lines of a file with their numbers, from 1.
template <typename Use>
void for_each_line(const fs::path& file, uint64_t& hash, Use use) {
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) {
    throw UserError(
        "{} is no sentence model: it has no file {}; name a folder of NLTK's punkt_tab, such as "
        "punkt_tab/english",
        file.parent_path().string(), file.filename().string());
  }
  const std::string text = read_text(file);
  hash = xxh3(text, hash);
  size_t number = 0;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t newline = rest.find('\n');
    std::string_view line = rest.substr(0, newline);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++number;
    if (!tokenizer::valid_utf8(line)) refuse(file, number, "this is not UTF-8");
    use(line, number);
    rest.remove_prefix(newline == std::string_view::npos ? rest.size() : newline + 1);
  }
}

}  // namespace

PunktParameters PunktParameters::read(const fs::path& folder) {
  PunktParameters out;
  const auto words = [&](const char* name, StringSet& into) {
    for_each_line(folder / name, out.hash, [&](std::string_view line, size_t) { into.emplace(line); });
  };
  const auto pairs = [&](const char* name, auto use) {
    const fs::path file = folder / name;
    for_each_line(file, out.hash, [&](std::string_view line, size_t number) {
      const size_t tab = line.find('\t');
      if (tab == std::string_view::npos || line.find('\t', tab + 1) != std::string_view::npos) {
        refuse(file, number, "two columns with a tab between them should stand here");
      }
      use(file, number, line, tab);
    });
  };
  words("abbrev_types.txt", out.abbreviations);
  words("sent_starters.txt", out.starters);
  pairs("collocations.tab",
        [&](const fs::path&, size_t, std::string_view line, size_t) { out.collocations.emplace(line); });
  pairs("ortho_context.tab", [&](const fs::path& file, size_t number, std::string_view line, size_t tab) {
    uint8_t bits = 0;
    const char* const end = line.data() + line.size();
    const auto [at, error] = std::from_chars(line.data() + tab + 1, end, bits);
    if (error != std::errc{} || at != end) refuse(file, number, "the second column is no number from 0 to 255");
    out.contexts.insert_or_assign(std::string(line.substr(0, tab)), bits);
  });
  return out;
}

}  // namespace longhaul::sentences
