#include "longhaul/parallel/stage_layers.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "longhaul/core/error.h"

namespace longhaul::parallel {
namespace {

// The sizes of so many pieces of `slots`: they differ by one at most, and the larger ones stand just before the last.
std::vector<int64_t> even_pieces(int64_t slots, int64_t pieces) {
  if (pieces == 0) return {};
  std::vector<int64_t> sizes(static_cast<size_t>(pieces), slots / pieces);
  const int64_t larger = slots % pieces;
  for (int64_t i = 0; i < larger; ++i) ++sizes[static_cast<size_t>(pieces - 1 - larger + i)];
  return sizes;
}

// The number of layers of each piece, in the order of the forward pass.
std::vector<int64_t> layers_of_pieces(int64_t layers, int64_t stages, int64_t chunks, const LayerSplit& split) {
  const int64_t pieces = stages * chunks;
  if (split.first_stage == 0 && split.last_stage == 0) {
    // In slots: the embedding is the first slot, the loss the last one.
    auto sizes = even_pieces(layers + (split.count_embedding ? 1 : 0) + (split.count_loss ? 1 : 0), pieces);
    sizes.front() -= split.count_embedding ? 1 : 0;
    sizes.back() -= split.count_loss ? 1 : 0;
    return sizes;
  }
  const auto given = [&](int64_t piece) {
    if (piece % stages == 0 && split.first_stage > 0) return split.first_stage / chunks;
    return piece % stages == stages - 1 ? split.last_stage / chunks : int64_t{0};
  };
  const int64_t open_stages = stages - (split.first_stage > 0 ? 1 : 0) - (split.last_stage > 0 ? 1 : 0);
  const auto others = even_pieces(layers - split.first_stage - split.last_stage, open_stages * chunks);
  std::vector<int64_t> sizes;
  size_t next = 0;
  for (int64_t piece = 0; piece < pieces; ++piece) sizes.push_back(given(piece) > 0 ? given(piece) : others[next++]);
  return sizes;
}

}  // namespace

int64_t most_layers_of_ends(int64_t layers, int64_t stages, int64_t chunks, const LayerSplit& split) {
  const int64_t open_stages = stages - (split.first_stage > 0 ? 1 : 0) - (split.last_stage > 0 ? 1 : 0);
  return (layers - open_stages * chunks) / chunks * chunks;
}

std::string layer_split_problem(int64_t layers, int64_t stages, int64_t chunks, const LayerSplit& split) {
  const int64_t pieces = stages * chunks, first = split.first_stage, last = split.last_stage;
  if (first == 0 && last == 0) {
    const int64_t slots = layers + (split.count_embedding ? 1 : 0) + (split.count_loss ? 1 : 0);
    return slots >= pieces ? "" : fmt::format("{} layers are too few for {} pieces", layers, pieces);
  }
  if (split.count_embedding || split.count_loss)
    return "parallel.first_stage_layers and parallel.last_stage_layers say how many layers the ends hold: leave "
           "parallel.count_embedding and parallel.count_loss out";
  if (stages == 1) return "parallel.first_stage_layers and parallel.last_stage_layers need parallel.pipeline above 1";
  if (first % chunks != 0 || last % chunks != 0)
    return fmt::format(
        "parallel.first_stage_layers {} and parallel.last_stage_layers {} must be multiples of parallel.virtual_pipeline {}",
        first, last, chunks);
  const int64_t open_pieces = chunks * (stages - (first > 0 ? 1 : 0) - (last > 0 ? 1 : 0)),
                rest = layers - first - last;
  if (open_pieces == 0 && rest != 0)
    return fmt::format(
        "parallel.first_stage_layers {} + parallel.last_stage_layers {}, of the only two stages, is not model.layers {}: leave one of them out",
        first, last, layers);
  if (rest < open_pieces) {
    std::vector<std::string> ends;
    if (first > 0) ends.push_back(fmt::format("parallel.first_stage_layers {}", first));
    if (last > 0) ends.push_back(fmt::format("parallel.last_stage_layers {}", last));
    return fmt::format("{} of model.layers {} leave{} {} for the {} piece{} of the other stages: {} at most would do",
                       fmt::join(ends, " + "), layers, ends.size() == 1 ? "s" : "", std::max<int64_t>(rest, 0),
                       open_pieces, open_pieces == 1 ? "" : "s", most_layers_of_ends(layers, stages, chunks, split));
  }
  return "";
}

LayerRange layers_of_stage(int64_t layers, int64_t stages, int64_t chunks, int64_t stage, int64_t chunk,
                           const LayerSplit& split) {
  LONGHAUL_CHECK(stage >= 0 && stage < stages && chunk >= 0 && chunk < chunks, "stage {} of {}, chunk {} of {}", stage,
                 stages, chunk, chunks);
  const std::string problem = layer_split_problem(layers, stages, chunks, split);
  LONGHAUL_CHECK(problem.empty(), "{}", problem);
  LayerRange range;
  const auto sizes = layers_of_pieces(layers, stages, chunks, split);
  const int64_t piece = chunk * stages + stage;
  for (int64_t p = 0; p < piece; ++p) range.begin += sizes[static_cast<size_t>(p)];
  range.end = range.begin + sizes[static_cast<size_t>(piece)];
  return range;
}

}  // namespace longhaul::parallel
