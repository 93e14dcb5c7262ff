#include "longhaul/core/config/suggest.h"

#include <algorithm>
#include <numeric>
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

// Whether `candidate` is nearer to `name` than `best`, which it then becomes. A difference in length is a distance,
// too: what is much longer needs no comparison.
bool is_nearer(std::string_view name, std::string_view candidate, size_t& best) {
  const size_t lengths = std::max(name.size(), candidate.size()) - std::min(name.size(), candidate.size());
  if (lengths >= best) return false;
  const size_t distance = edit_distance(name, candidate);
  if (distance >= best) return false;
  best = distance;
  return true;
}

}  // namespace

std::string nearest(std::string_view name, std::span<const std::string> candidates) {
  const std::string* best = nullptr;
  size_t best_distance = std::max<size_t>(1, name.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (is_nearer(name, candidate, best_distance)) best = &candidate;
  }
  return best == nullptr ? std::string() : *best;
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

}  // namespace

std::string suggest_key(const FieldTable& root, std::string_view path) {
  const std::string_view name = path.substr(path.rfind('.') + 1);  // npos + 1 is 0
  std::vector<std::string> names;
  for (const FieldLeaf& leaf : leaves(root)) {
    if (leaf.field->name == name || is_among(name, leaf.field->megatron) || is_among(name, leaf.field->hugging_face))
      return leaf.path;
    names.push_back(leaf.path);
  }
  for (const Field& field : root.rows) names.push_back(field.name);
  const std::string close = nearest(path, names);
  if (!close.empty()) return close;
  // A good guess at the last part alone, in whichever section.
  const FieldLeaf* best = nullptr;
  size_t best_distance = std::max<size_t>(1, name.size() / 3) + 1;
  const auto all = leaves(root);
  for (const FieldLeaf& leaf : all) {
    if (is_nearer(name, leaf.field->name, best_distance)) best = &leaf;
  }
  return best == nullptr ? std::string() : best->path;
}

}  // namespace longhaul
