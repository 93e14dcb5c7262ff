// "Did you mean …?" for names that a user mistyped.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "longhaul/core/config/fields.h"

namespace longhaul {

// Levenshtein distance in bytes, where two neighbours swapped count as one edit.
size_t edit_distance(std::string_view a, std::string_view b);

// The candidate nearest to `name`, or "" when none is near enough to be what was meant.
std::string nearest(std::string_view name, std::span<const std::string> candidates);

// The full path of the key that a user who wrote `path` most likely meant: the same key in another section,
// the key that Megatron or Hugging Face call so, the nearest by spelling, or one that has the same words and more. ""
// when there is none.
std::string suggest_key(const FieldTable& root, std::string_view path);

// That as a sentence for an error message, or where the keys are listed: "Did you mean optimizer.lr?"
std::string key_hint(const FieldTable& root, std::string_view path);

}  // namespace longhaul
