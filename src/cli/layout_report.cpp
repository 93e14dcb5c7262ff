#include "cli/layout_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <functional>

#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
#include "longhaul/parallel/pipeline_schedule.h"
#include "longhaul/recipes/estimate.h"
#include "longhaul/recipes/layouts.h"
#include "longhaul/recipes/rank_share.h"

namespace longhaul::cli {
namespace {

using comm::Axis;
using comm::AxisSet;
using comm::Mesh;
constexpr int64_t kFewRanks = 32;
constexpr size_t kFewGroups = 4;

std::string range_text(int64_t begin, int64_t end) {
  if (begin == end) return "-";
  return end == begin + 1 ? fmt::format("{}", begin) : fmt::format("{}-{}", begin, end - 1);
}
std::string range_text(const IndexRange& range) {
  return range_text(range.begin, range.end);
}

std::string layers_text(const RankShare& share) {
  std::vector<std::string> chunks;
  for (const parallel::LayerRange& range : share.layers) chunks.push_back(range_text(range.begin, range.end));
  return fmt::format("{}", fmt::join(chunks, " "));
}

std::string ends_text(const RankShare& share) {
  if (share.embedding && share.output) return "embedding, loss";
  return share.embedding ? "embedding" : share.output ? "loss" : "";
}

std::string shape_text(const Mesh& mesh) {
  std::string text;
  for (const Axis axis : mesh.order()) {
    const bool shown = mesh.shape()[axis] > 1 || axis == Axis::data;
    if (shown) text += fmt::format("{}{} {}", text.empty() ? "" : " x ", name_of(axis), mesh.shape()[axis]);
  }
  return text;
}

std::string share_table(const Mesh& mesh, const std::vector<RankShare>& shares, bool all_ranks) {
  struct Column {
    std::string heading;
    std::function<std::string(const RankShare&)> text;
  };
  std::vector<Column> columns = {{"rank", [](const RankShare& s) { return fmt::format("{}", s.rank); }}};
  for (const Axis axis : mesh.order())
    if (mesh.shape()[axis] > 1)
      columns.push_back(
          {std::string(name_of(axis)), [axis](const RankShare& s) { return fmt::format("{}", s.at[axis]); }});
  columns.push_back({"layers", layers_text});
  columns.push_back({"query heads", [](const RankShare& s) { return range_text(s.heads); }});
  columns.push_back({"key/value heads", [](const RankShare& s) { return range_text(s.kv_heads); }});
  columns.push_back({"MLP columns", [](const RankShare& s) { return range_text(s.ffn); }});
  columns.push_back({"vocabulary rows", [](const RankShare& s) {
                       return s.embedding || s.output ? range_text(s.vocabulary) : std::string("-");
                     }});
  columns.push_back({"parameters", [](const RankShare& s) { return group_digits(s.parameters); }});
  columns.push_back({"sequences", [](const RankShare& s) { return range_text(s.sequences); }});
  columns.push_back({"beside layers", ends_text});

  std::vector<std::string> headings;
  for (const Column& column : columns) headings.push_back(column.heading);
  TextTable table(headings);
  for (const RankShare& share : shares) {
    if (!all_ranks && share.at.data > 0) continue;
    std::vector<std::string> cells;
    for (const Column& column : columns) cells.push_back(column.text(share));
    table.add(cells);
  }
  return table.str();
}

// 0-7, or 0,2,4, or 0,8,...,120.
std::string ranks_text(const std::vector<int64_t>& ranks) {
  const auto size = static_cast<int64_t>(ranks.size());
  if (size > 2 && ranks.back() - ranks.front() == size - 1) return range_text(ranks.front(), ranks.back() + 1);
  if (size <= 8) return fmt::format("{}", fmt::join(ranks, ","));
  return fmt::format("{},{},...,{}", ranks[0], ranks[1], ranks.back());
}

std::string groups_text(const std::vector<std::vector<int64_t>>& groups) {
  std::string text;
  for (size_t i = 0; i < std::min(groups.size(), kFewGroups); ++i)
    text += (i == 0 ? "" : " | ") + ranks_text(groups[i]);
  return groups.size() > kFewGroups ? text + " | ..." : text;
}

const char* what_data_ranks_exchange(Sharding sharding) {
  switch (sharding) {
    case Sharding::none:
      return "weight gradients once a step";
    case Sharding::optimizer:
      return "weight gradients and new weights once a step";
    case Sharding::gradients:
      return "weight gradients of each micro-batch, new weights once a step";
    case Sharding::parameters:
      break;
  }
  return "weight gradients of each micro-batch, and its weights, forward and backward";
}

std::string memory_lines(const Recipe& r, int64_t data) {
  const MemoryEstimate e = estimate_memory(r, r.parallel, r.recompute, data);
  const ParallelConfig& p = r.parallel;
  const auto shared = [&](Sharding level) { return p.sharding >= level && data > 1 ? ", shared out" : ""; };
  return fmt::format(
      "\nMemory of a rank on the fullest stage, about\n{} weights{}, {} gradients{}, {} masters and moments{}, {} activations "
      "(micro-batch {}, recompute {}), {} logits or a layer's backward, {} on its way: {}{}\n",
      format_bytes(e.weights), shared(Sharding::parameters), format_bytes(e.gradients), shared(Sharding::gradients),
      format_bytes(e.optimizer), shared(Sharding::optimizer), format_bytes(e.activations), r.batch.micro,
      name_of(r.recompute.mode), format_bytes(e.working), format_bytes(e.communication), format_bytes(e.total()),
      e.host > 0 ? fmt::format("; and {} of host memory", format_bytes(e.host)) : "");
}

std::string group_table(const Recipe& r, const Mesh& mesh) {
  TextTable table({"along", "groups", "of ranks", "ranks", "to exchange"});
  table.align(1, TextTable::Align::right).align(2, TextTable::Align::right);
  const auto add = [&](const std::string& name, const std::vector<std::vector<int64_t>>& groups, const char* what) {
    if (groups.front().size() > 1)
      table.add({name, fmt::format("{}", groups.size()), fmt::format("{}", groups.front().size()), groups_text(groups),
                 what});
  };
  add("tensor", mesh.groups({Axis::tensor}),
      r.parallel.sequence ? "activations in each sublayer: gathered before, summed and scattered after"
                          : "activations in each sublayer: partial sums");
  add("context", mesh.groups({Axis::context}), "keys and values in each attention");
  add("pipeline", mesh.groups({Axis::pipeline}), "activations forward and gradients backward, of each micro-batch");
  add("data x context", mesh.groups({Axis::data, Axis::context}), what_data_ranks_exchange(r.parallel.sharding));
  add("tensor x pipeline", mesh.groups({Axis::tensor, Axis::pipeline}), "the gradient's norm");
  if (r.model.tied_embeddings)
    add("first and last stage", mesh.embedding_groups(), "gradients of the embedding that both hold");
  return table.str();
}

std::string pipeline_lines(const Recipe& r, int64_t data) {
  const parallel::PipelineShape shape = pipeline_shape(r.parallel, r.batch.global / r.batch.micro / data);
  std::vector<int64_t> live;
  for (int64_t stage = 0; stage < shape.stages; ++stage) live.push_back(parallel::peak_live_activations(shape, stage));
  return fmt::format(
      "\nThe pipeline\n{} micro-batch{} a step, schedule {}: a stage waits {:.1f} % of the time that it "
      "works.\n"
      "Activations kept at most, in micro-batches of {}, by stage: {}\n",
      shape.micro_batches, shape.micro_batches == 1 ? "" : "es", name_of(r.parallel.schedule),
      100 * parallel::bubble_fraction(shape), shape.chunks == 1 ? "the stage's layers" : "one chunk's layers",
      fmt::join(live, " "));
}

}  // namespace

std::string layout_report(const Recipe& recipe, int64_t ranks, bool all_ranks) {
  const Mesh mesh = mesh_of(recipe, ranks);
  const std::vector<RankShare> shares = rank_shares(recipe, ranks);
  const int64_t data = mesh.shape().data;
  const bool all = all_ranks || ranks <= kFewRanks || data == 1;
  std::string out = fmt::format("{} on {} rank{}: {}\n\nWho holds what\n{}", recipe.name, ranks, ranks == 1 ? "" : "s",
                                shape_text(mesh), share_table(mesh, shares, all));
  if (!all) out += "The ranks of the other data-parallel copies hold the same; --all lists them.\n";
  out += fmt::format("sequences: of the first micro-batch; those of the next begin {} further.\n",
                     recipe.batch.micro * data);
  out += memory_lines(recipe, data);
  if (ranks > 1) out += "\nWho talks to whom\n" + group_table(recipe, mesh);
  if (mesh.shape().pipeline > 1) out += pipeline_lines(recipe, data);
  return out;
}

}  // namespace longhaul::cli
