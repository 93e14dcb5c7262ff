// What the papers' formulas say that a rank sends. With t tokens of a micro-batch, width h, m micro-batches of a rank,
// n ranks of a group, 4 bytes an element (FP32), and for a ring the factor (n - 1) / n.
#pragma once

#include <vector>

#include "longhaul/model/parameter_store.h"
#include "longhaul/recipes/rank_share.h"
#include "unit/train/layout_run.h"

namespace longhaul {

// What a rank's parameters are made of, as far as their exchange goes. In elements, padding included.
struct HeldParameters {
  struct Unit {
    FlatRange range;
    bool table = false;   // over the vocabulary, or of positions: not gathered again for the backward
    bool output = false;  // the loss uses it
    bool embedding = false;
  };
  std::vector<Unit> units;
  std::vector<FlatRange> per_token;  // whose gradients the tensor ranks sum under sequence parallelism
  std::vector<FlatRange> words;      // the rows of the vocabulary's only table

  HeldParameters() = default;
  HeldParameters(const ParameterStore& store, bool tied);
};

// Of all steps of `recipe` (resolved) in a train_in_layout with at most two documents a sample, by operation and group.
LayoutRun::Sent expected_traffic(const Recipe& recipe, const RankShare& rank, int64_t data_ranks,
                                 const HeldParameters& held);

}  // namespace longhaul
