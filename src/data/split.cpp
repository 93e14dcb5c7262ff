#include "longhaul/data/split.h"

#include <charconv>
#include <cmath>
#include <string>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

[[noreturn]] void refuse(std::string_view text, std::string_view what) {
  throw UserError("data.split: \"{}\" {}; give up to three shares for train, valid and test, e.g. \"969,30,1\"", text,
                  what);
}

}  // namespace

std::string_view split_name(Split split) {
  switch (split) {
    case Split::train:
      return "train";
    case Split::valid:
      return "valid";
    case Split::test:
      return "test";
  }
  return "?";
}

SplitMatrix parse_split(std::string_view text) {
  std::array<double, 3> shares{};
  size_t parsed = 0;
  for (std::string_view rest = text;; ++parsed) {
    const size_t comma = rest.find(',');
    const std::string_view field = trimmed(rest.substr(0, comma));
    if (parsed == shares.size()) refuse(text, "has more than three shares");
    const auto [end, error] =
        std::from_chars(field.data(), field.data() + field.size(), shares[parsed], std::chars_format::fixed);
    if (error != std::errc() || end != field.data() + field.size() || !std::isfinite(shares[parsed])) {
      refuse(text, fmt::format("is not a list of numbers (\"{}\")", field));
    }
    if (std::signbit(shares[parsed])) refuse(text, fmt::format("has the negative share {}", field));
    if (comma == std::string_view::npos) break;
    rest.remove_prefix(comma + 1);
  }
  const double sum = shares[0] + shares[1] + shares[2];
  if (sum == 0) refuse(text, "selects nothing, since all shares are 0");

  SplitMatrix matrix;
  double begin = 0;
  for (size_t i = 0; i < shares.size(); ++i) {
    const double end = begin + shares[i] / sum;
    if (end > begin) matrix[i] = Fractions{begin, end};
    begin = end;
  }
  return matrix;
}

SequenceRange split_range(const Fractions& fractions, int64_t count) {
  const auto border = [&](double fraction) {
    return static_cast<int64_t>(std::nearbyint(fraction * static_cast<double>(count)));
  };
  return {border(fractions.begin), border(fractions.end)};
}

SequenceRange selected_range(Split split, const std::optional<std::string>& split_string, int64_t count) {
  if (!split_string) return {0, count};
  const auto fractions = parse_split(*split_string)[static_cast<size_t>(split)];
  return fractions ? split_range(*fractions, count) : SequenceRange{};
}

}  // namespace longhaul
