// Changes inputs the way damage and malice do: flipped bits, cut ends, pieces moved and repeated, numbers at the limits
// of their types, words of the format where others should be.
#pragma once

#include <random>
#include <string>

#include "fuzz_target.h"

namespace longhaul::fuzz {

using Random = std::mt19937_64;

// `input`, changed one to a few times; pieces of `other` may get in. Never longer than `most_bytes`.
std::string mutated(std::string input, const std::string& other, const FuzzTarget& target, Random& random,
                    size_t most_bytes);

}  // namespace longhaul::fuzz
