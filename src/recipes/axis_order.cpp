// parallel.order as text: "tensor-context-expert-data-pipeline", or as Megatron writes it "tp-cp-ep-dp-pp".
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
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

// By our name or by Megatron's.
std::optional<comm::Axis> axis_named(const std::string& name) {
  constexpr std::array<std::string_view, comm::kAllAxes.size()> kMegatron{"tp", "cp", "ep", "dp", "pp"};
  for (size_t i = 0; i < kMegatron.size(); ++i) {
    if (name == name_of(comm::kAllAxes[i]) || name == kMegatron[i]) return comm::kAllAxes[i];
  }
  return std::nullopt;
}

}  // namespace

comm::AxisOrder axis_order(const ParallelConfig& layout) {
  std::vector<comm::Axis> axes;  // each once
  std::vector<std::string> problems, unknown;
  for (const std::string& word : split(layout.order)) {
    auto axis = axis_named(word);
    if (!axis) {
      unknown.push_back(fmt::format("\"{}\"", word));
      axis = axis_named(nearest(word, axis_names()));
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
  if (!unknown.empty())
    problems.push_back(
        fmt::format("has {}, which {}", fmt::join(unknown, ", "), unknown.size() == 1 ? "is no axis" : "are no axes"));
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
