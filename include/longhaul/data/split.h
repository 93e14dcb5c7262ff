// How one dataset is cut into train, validation and test: "969,30,1" are relative shares, in that order, of
// contiguous ranges of the file, taken before any shuffling (Megatron's --split).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace longhaul {

enum class Split { train = 0, valid = 1, test = 2 };

std::string_view split_name(Split split);  // "train", "valid", "test"

// A half-open range of fractions of the dataset, or of sequence numbers.
struct Fractions {
  double begin = 0;
  double end = 1;
};
struct SequenceRange {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t count() const { return end - begin; }
};

// One entry a split; none where the share is 0.
using SplitMatrix = std::array<std::optional<Fractions>, 3>;

// Parses one to three non-negative numbers with commas between them. Throws UserError for anything else
// (signs, letters, all zeros), naming the string.
SplitMatrix parse_split(std::string_view text);

// The range of `count` sequences that the fractions select; borders round half to even.
SequenceRange split_range(const Fractions& fractions, int64_t count);

// The range of `count` sequences that a split has: all of them without a split string, none where its share is 0.
SequenceRange selected_range(Split split, const std::optional<std::string>& split_string, int64_t count);

}  // namespace longhaul
