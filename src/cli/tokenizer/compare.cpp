// llm-pretrain tokenizer compare: where two tokenizers cut the same text differently.
#include <fmt/format.h>

#include "cli/tokenizer/tokenizer.h"
#include "longhaul/core/table.h"

namespace longhaul::cli {
namespace {

struct Options {
  std::string first;
  std::string second;
  TextInput input;
  bool no_special_tokens = false;
  int64_t limit = 20;
};

using Places = std::vector<TokenPlace>;

// Tokens of both sides that stand for the same stretch of the text and differ.
struct Difference {
  size_t begin_byte;
  size_t end_byte;
  std::pair<size_t, size_t> first;  // which tokens: [begin, end)
  std::pair<size_t, size_t> second;
};

bool same_ids(const Places& a, std::pair<size_t, size_t> of_a, const Places& b, std::pair<size_t, size_t> of_b) {
  return std::equal(
      a.begin() + static_cast<std::ptrdiff_t>(of_a.first), a.begin() + static_cast<std::ptrdiff_t>(of_a.second),
      b.begin() + static_cast<std::ptrdiff_t>(of_b.first), b.begin() + static_cast<std::ptrdiff_t>(of_b.second),
      [](const TokenPlace& x, const TokenPlace& y) { return x.id == y.id; });
}

// Both sides are walked from one place where both have a border to the next.
std::vector<Difference> differences(const Places& a, const Places& b) {
  std::vector<Difference> found;
  size_t i = 0;
  size_t k = 0;
  size_t begin = 0;
  while (i < a.size() || k < b.size()) {
    const std::pair first_begin{i, k};
    size_t end_a = begin;
    size_t end_b = begin;
    const auto take = [&](const Places& places, size_t& at, size_t& end) {
      end = std::max(end, places[at++].end_byte);
    };
    do {
      const bool first_is_behind = k == b.size() || (i < a.size() && end_a <= end_b);
      first_is_behind ? take(a, i, end_a) : take(b, k, end_b);
    } while (end_a != end_b && (i < a.size() || k < b.size()));
    // Tokens that stand for nothing, or for the same character again, belong to what is before them.
    while (i < a.size() && a[i].end_byte <= end_a) ++i;
    while (k < b.size() && b[k].end_byte <= end_b) ++k;
    const std::pair of_a{first_begin.first, i};
    const std::pair of_b{first_begin.second, k};
    const size_t end = std::max(end_a, end_b);
    if (!same_ids(a, of_a, b, of_b)) found.push_back({begin, end, of_a, of_b});
    begin = end;
  }
  return found;
}

std::string describe(const Tokenizer& tokenizer, const Places& places, std::pair<size_t, size_t> which) {
  std::string out;
  for (size_t i = which.first; i < which.second; ++i) {
    if (!out.empty()) out += ' ';
    out += fmt::format("{} ({})", quote_token(tokenizer.id_to_token(places[i].id)), places[i].id);
  }
  return out;
}

void compare(const Options& options) {
  const auto first = open_tokenizer(options.first);
  const auto second = open_tokenizer(options.second);
  TextTable table({"text", "bytes", "first", "second"});
  int64_t texts = 0, different_texts = 0, stretches = 0, bytes = 0;
  int64_t tokens[2] = {0, 0};
  for_each_text(options.input, [&](std::string_view text) {
    const Places a = first->encode_with_offsets(text, !options.no_special_tokens);
    const Places b = second->encode_with_offsets(text, !options.no_special_tokens);
    const auto found = differences(a, b);
    for (const Difference& d : found) {
      if (stretches++ >= options.limit) continue;
      table.add({std::to_string(texts + 1), fmt::format("{}-{}", d.begin_byte, d.end_byte),
                 describe(*first, a, d.first), describe(*second, b, d.second)});
    }
    ++texts;
    different_texts += !found.empty();
    bytes += static_cast<int64_t>(text.size());
    tokens[0] += static_cast<int64_t>(a.size());
    tokens[1] += static_cast<int64_t>(b.size());
  });
  if (stretches > 0) fmt::print("{}", table.str());
  if (stretches > options.limit) fmt::print("... and {} more\n", group_digits(stretches - options.limit));
  if (stretches > 0) fmt::print("\n");
  TextTable sums({"", "first", "second"});
  for (size_t column = 1; column < 3; ++column) sums.align(column, TextTable::Align::right);
  const auto per_token = [&](int64_t count) {
    return fmt::format("{:.3f}", static_cast<double>(bytes) / static_cast<double>(std::max<int64_t>(count, 1)));
  };
  sums.add({"ids in the vocabulary", group_digits(first->vocab_size()), group_digits(second->vocab_size())});
  sums.add({"tokens of the texts", group_digits(tokens[0]), group_digits(tokens[1])});
  sums.add({"bytes a token", per_token(tokens[0]), per_token(tokens[1])});
  fmt::print("{}{} of {} texts differ, in {} places\n", sums.str(), group_digits(different_texts), group_digits(texts),
             group_digits(stretches));
}

}  // namespace

void add_tokenizer_compare(const Command& parent) {
  auto options = std::make_shared<Options>();
  const Command command = parent.subcommand("compare", "Show where two tokenizers cut texts differently");
  command.option("FIRST", options->first, "folder with a tokenizer, or tokenizer.json").required();
  command.option("SECOND", options->second, "the other one").required();
  add_text_input(command, options->input);
  command.flag("--no-special-tokens", options->no_special_tokens,
               "leave out what the tokenizers add to a text of their own accord");
  command.option("--limit", options->limit, "print at most so many places").not_negative().show_default();
  command.examples(
      "Example:\n"
      "  llm-pretrain tokenizer compare llama-2/ llama-3/ --jsonl sample.jsonl");
  command.run([options] { compare(*options); });
}

}  // namespace longhaul::cli
