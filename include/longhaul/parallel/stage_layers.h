// Which layers a pipeline stage holds.
#pragma once

#include <cstdint>
#include <string>

namespace longhaul::parallel {

struct LayerRange {
  int64_t begin = 0;
  int64_t end = 0;  // not included
  int64_t count() const { return end - begin; }
  bool operator==(const LayerRange&) const = default;
};

// What is not dealt out evenly.
struct LayerSplit {
  // What counts as a layer beside the layers, so that the first stage, the last stage, or both get one layer fewer: a
  // large vocabulary's embedding or loss costs about as much.
  bool count_embedding = false;
  bool count_loss = false;
  // How many layers the first and the last stage hold, over all their chunks; 0: their equal part. Not together with
  // what counts as one.
  int64_t first_stage = 0;
  int64_t last_stage = 0;
  bool operator==(const LayerSplit&) const = default;
};

// Why so many layers can't be dealt out so: a clause for a message, which calls the two numbers by their keys
// parallel.first_stage_layers and parallel.last_stage_layers. "" if they can.
std::string layer_split_problem(int64_t layers, int64_t stages, int64_t chunks, const LayerSplit& split);

// How many layers the first and the last stage may hold together where `split` gives one or both a number: each other
// piece needs one.
int64_t most_layers_of_ends(int64_t layers, int64_t stages, int64_t chunks, const LayerSplit& split);

// The layers of a stage's chunk, when `layers` are dealt to stages · chunks pieces in the order of the
// forward pass (piece c of stage s is the (c · stages + s)-th). Where they don't divide, pieces differ by one
// layer at most, and the larger ones stand just before the last piece, which has the loss to compute: 30
// layers on 4 stages are 7, 8, 8, 7. A stage whose number of layers is given has equal chunks of it, and the others
// share the rest in the same manner. Throws InternalError where layer_split_problem has something to say.
LayerRange layers_of_stage(int64_t layers, int64_t stages, int64_t chunks, int64_t stage, int64_t chunk,
                           const LayerSplit& split = {});

}  // namespace longhaul::parallel
