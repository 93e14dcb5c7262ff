// Which layers a pipeline stage holds.
#pragma once

#include <cstdint>

namespace longhaul::parallel {

struct LayerRange {
  int64_t begin = 0;
  int64_t end = 0;  // not included
  int64_t count() const { return end - begin; }
  bool operator==(const LayerRange&) const = default;
};

// What counts as a layer beside the layers, so that the first stage, the last stage, or both get one layer
// fewer: a large vocabulary's embedding or loss costs about as much.
struct LayerSplit {
  bool count_embedding = false;
  bool count_loss = false;
};

// The layers of a stage's chunk, when `layers` are dealt to stages · chunks pieces in the order of the
// forward pass (piece c of stage s is the (c · stages + s)-th). Where they don't divide, pieces differ by one
// layer at most, and the larger ones stand just before the last piece, which has the loss to compute: 30
// layers on 4 stages are 7, 8, 8, 7. Throws InternalError unless there is a layer, or something that counts
// as one, for each piece.
LayerRange layers_of_stage(int64_t layers, int64_t stages, int64_t chunks, int64_t stage, int64_t chunk,
                           LayerSplit split = {});

}  // namespace longhaul::parallel
