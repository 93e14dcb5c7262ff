// parallel.order as text: "tensor-context-expert-data-pipeline".
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "longhaul/core/config/suggest.h"
#include "longhaul/core/error.h"
#include "longhaul/recipes/layouts.h"

namespace longhaul {
namespace {

std::vector<std::string> axis_names() {
  std::vector<std::string> names;
  for (const comm::Axis axis : comm::kAllAxes) names.emplace_back(name_of(axis));
  return names;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> words;
  for (size_t begin = 0, end = 0; end != std::string::npos; begin = end + 1) {
    end = text.find('-', begin);
    words.push_back(text.substr(begin, end - begin));
  }
  return words;
}

std::optional<comm::Axis> axis_named(const std::string& name) {
  const auto found = std::ranges::find(comm::kAllAxes, name, [](comm::Axis axis) { return name_of(axis); });
  return found == comm::kAllAxes.end() ? std::nullopt : std::optional(*found);
}

// What may be meant by a word that names no axis: what Megatron calls one, or the nearest by spelling.
std::string meant_by(const std::string& word) {
  constexpr std::string_view kMegatron[] = {"tp", "cp", "ep", "dp", "pp"};
  const auto found = std::ranges::find(kMegatron, word);
  if (found != std::end(kMegatron)) return std::string(name_of(comm::kAllAxes[static_cast<size_t>(found - kMegatron)]));
  return nearest(word, axis_names());
}

}  // namespace

comm::AxisOrder axis_order(const ParallelConfig& layout) {
  std::vector<comm::Axis> axes;  // each once
  std::vector<std::string> problems;
  for (const std::string& word : split(layout.order)) {
    auto axis = axis_named(word);
    if (!axis) {
      problems.push_back(fmt::format("has \"{}\", which is no axis", word));
      axis = axis_named(meant_by(word));
    }
    if (!axis) continue;
    if (std::ranges::find(axes, *axis) != axes.end()) {
      problems.push_back(fmt::format("has {} twice", name_of(*axis)));
    } else {
      axes.push_back(*axis);
    }
  }
  std::vector<std::string_view> lacking;
  for (const comm::Axis axis : comm::kAllAxes) {
    if (std::ranges::find(axes, axis) != axes.end()) continue;
    lacking.push_back(name_of(axis));
    axes.push_back(axis);
  }
  if (!lacking.empty()) problems.push_back(fmt::format("lacks {}", fmt::join(lacking, ", ")));
  if (!problems.empty()) {
    std::vector<std::string_view> names;
    for (const comm::Axis axis : axes) names.push_back(name_of(axis));
    throw UserError("parallel.order \"{}\" {}: name each axis once, as in parallel.order={}", layout.order,
                    fmt::join(problems, " and "), fmt::join(names, "-"));
  }
  comm::AxisOrder order{};
  std::ranges::copy(axes, order.begin());
  return order;
}

}  // namespace longhaul
