#include "longhaul/parallel/stage_layers.h"

#include <algorithm>

#include "longhaul/core/error.h"

namespace longhaul::parallel {

LayerRange layers_of_stage(int64_t layers, int64_t stages, int64_t chunks, int64_t stage, int64_t chunk,
                           LayerSplit split) {
  LONGHAUL_CHECK(stage >= 0 && stage < stages && chunk >= 0 && chunk < chunks,
                 "stage {} of {}, chunk {} of {}", stage, stages, chunk, chunks);
  const int64_t pieces = stages * chunks, piece = chunk * stages + stage;
  const int64_t slots = layers + (split.count_embedding ? 1 : 0) + (split.count_loss ? 1 : 0);
  LONGHAUL_CHECK(slots >= pieces, "{} layers for {} pieces", layers, pieces);
  const int64_t larger = slots % pieces, first_larger = pieces - 1 - larger;
  // In slots: the embedding is the first slot, the loss the last one.
  const auto begin_of = [&](int64_t p) {
    const int64_t slot = p * (slots / pieces) + std::clamp<int64_t>(p - first_larger, 0, larger);
    return std::clamp<int64_t>(slot - (split.count_embedding ? 1 : 0), 0, layers);
  };
  return {begin_of(piece), begin_of(piece + 1)};
}

}  // namespace longhaul::parallel
