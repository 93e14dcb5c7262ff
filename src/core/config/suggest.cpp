#include "longhaul/core/config/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include "longhaul/core/config/field_table.h"

namespace longhaul {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    next[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      next[j] = std::min({row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        next[j] = std::min(next[j], before[j - 2] + 1);
    }
    std::swap(before, row);
    std::swap(row, next);
  }
  return row[b.size()];
}

namespace {

// The candidate whose text_of(candidate) is nearest to `name`, the first of equals; null where none is near enough. A
// difference in length is a distance, too: what is much longer needs no comparison.
template <typename Candidate, typename TextOf>
const Candidate* nearest_by(std::string_view name, std::span<const Candidate> candidates, TextOf text_of) {
  const Candidate* best = nullptr;
  size_t best_distance = std::max<size_t>(1, name.size() / 3) + 1;
  for (const Candidate& candidate : candidates) {
    const std::string_view text = text_of(candidate);
    if (std::max(name.size(), text.size()) - std::min(name.size(), text.size()) >= best_distance) continue;
    const size_t distance = edit_distance(name, text);
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = &candidate;
  }
  return best;
}

}  // namespace

std::string nearest(std::string_view name, std::span<const std::string> candidates) {
  const std::string* const found =
      nearest_by(name, candidates, [](const std::string& text) { return std::string_view(text); });
  return found == nullptr ? std::string() : *found;
}

namespace {

// Whether `name` is one of those that a field is known by elsewhere: "global_batch_size, gbs".
bool is_among(std::string_view name, std::string_view names) {
  for (size_t begin = 0; begin < names.size();) {
    const size_t end = std::min(names.find(", ", begin), names.size());
    if (names.substr(begin, end - begin) == name) return true;
    begin = end + 2;
  }
  return false;
}

std::vector<std::string_view> words_of(std::string_view name) {
  std::vector<std::string_view> words;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('_', begin), name.size());
    if (end > begin) words.push_back(name.substr(begin, end - begin));
    begin = end + 1;
  }
  return words;
}

// Whether `name` has all words of `full`, or `full` all of name's, which may be cut short there (seq_len of
// sequence_length).
bool shares_words(std::string_view name, std::string_view full) {
  constexpr size_t kShortest = 3;  // letters that make a word known
  const std::vector<std::string_view> given = words_of(name), all = words_of(full);
  const auto among_all = [&](std::string_view word) {
    return std::ranges::any_of(all, [&](std::string_view other) {
      return word == other || (word.size() >= kShortest && other.starts_with(word));
    });
  };
  const auto among_given = [&](std::string_view word) { return std::ranges::find(given, word) != given.end(); };
  return !given.empty() && (std::ranges::all_of(given, among_all) || std::ranges::all_of(all, among_given));
}

using Leaves = std::span<const FieldLeaf>;

const FieldLeaf* nearest_leaf(std::string_view name, Leaves candidates) {
  return nearest_by(name, candidates, [](const FieldLeaf& leaf) { return std::string_view(leaf.field->name); });
}

// The only one that fits; null where none does, or several.
template <typename Fits>
const FieldLeaf* only_one(Leaves candidates, Fits fits) {
  const FieldLeaf* found = nullptr;
  for (const FieldLeaf& leaf : candidates) {
    if (!fits(leaf)) continue;
    if (found != nullptr) return nullptr;
    found = &leaf;
  }
  return found;
}

}  // namespace

std::string suggest_key(const FieldTable& root, std::string_view path) {
  const size_t dot = path.rfind('.');
  const std::string_view name = path.substr(dot + 1);  // npos + 1 is 0
  std::vector<FieldLeaf> all = leaves(root);
  for (const FieldLeaf& leaf : all) {
    if (leaf.field->name == name || is_among(name, leaf.field->megatron) || is_among(name, leaf.field->hugging_face))
      return leaf.path;
  }
  Leaves here;  // of the section that was named
  if (dot == std::string_view::npos) {
    std::vector<std::string> sections;
    for (const Field& field : root.rows) sections.push_back(field.name);
    if (std::string close = nearest(path, sections); !close.empty()) return close;
  } else {
    const auto others = std::ranges::stable_partition(
        all, [&](const FieldLeaf& leaf) { return leaf.path.starts_with(path.substr(0, dot + 1)); });
    here = {all.begin(), others.begin()};
  }
  const FieldLeaf* guess = nearest_leaf(name, here);
  if (guess == nullptr) {
    const auto found =
        std::ranges::find_if(here, [&](const FieldLeaf& leaf) { return shares_words(name, leaf.field->name); });
    if (found != here.end()) guess = &*found;
  }
  if (guess == nullptr) guess = nearest_leaf(name, all);
  // In other sections a word may mean anything: there it has to begin the key.
  if (guess == nullptr)
    guess = only_one(all, [&](const FieldLeaf& leaf) { return leaf.field->name.starts_with(name); });
  return guess == nullptr ? std::string() : guess->path;
}

std::string key_hint(const FieldTable& root, std::string_view path) {
  if (const std::string close = suggest_key(root, path); !close.empty()) return fmt::format("Did you mean {}?", close);
  const size_t dot = path.find('.');
  const Field* section = dot == std::string_view::npos ? nullptr : root.find(path.substr(0, dot));
  if (section == nullptr || section->type != FieldType::section) return "`llm-pretrain schema --text` lists all keys.";
  return fmt::format("`llm-pretrain schema --text {}.` lists the keys there.", section->name);
}

}  // namespace longhaul
