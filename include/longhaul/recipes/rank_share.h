// What each rank of a run holds.
#pragma once

#include <cstdint>
#include <vector>

#include "longhaul/comm/mesh.h"
#include "longhaul/parallel/stage_layers.h"
#include "longhaul/recipes/recipe.h"

namespace longhaul {

struct IndexRange {
  int64_t begin = 0;
  int64_t end = 0;  // not included
  int64_t count() const { return end - begin; }
  bool operator==(const IndexRange&) const = default;
};

struct RankShare {
  int64_t rank = 0;
  comm::MeshCoordinates at;
  std::vector<parallel::LayerRange> layers;  // of each chunk
  bool embedding = false;                    // holds its rows of the token embedding, and of learned positions all
  bool output = false;                       // holds the final norm and its rows of the output layer
  IndexRange heads, kv_heads;  // of each layer; tensor ranks share a key/value head where there are too few
  IndexRange ffn;
  IndexRange vocabulary;         // rows, without padding
  IndexRange sequences;          // of the first micro-batch; the next ones begin micro · data ranks further
  int64_t parameters = 0;        // without padding
  int64_t layer_parameters = 0;  // of one layer
};

// The mesh of a recipe on so many ranks. Throws UserError, with the nearest layouts, unless the layout fits
// them.
comm::Mesh mesh_of(const Recipe& recipe, int64_t ranks);

// Of all ranks, in order. `recipe` must be resolved, and its vocabulary known.
std::vector<RankShare> rank_shares(const Recipe& recipe, int64_t ranks);

// Of the first rank on a pipeline stage under `layout`, which stands for the recipe's own.
RankShare stage_share(const Recipe& recipe, const ParallelConfig& layout, int64_t stage);

}  // namespace longhaul
