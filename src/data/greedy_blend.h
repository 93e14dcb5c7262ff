// Megatron's loop over the samples of a blend: the next comes from the dataset that lags furthest behind its share,
// weight · place - used, in plain doubles; the first of several such. At places 0 and 1 the place counts as 1.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace longhaul {

// Datasets and samples of the places from `first` on. `used`, samples that each dataset has served before, is brought
// up to date. A dataset that has served as many as it has (`limits`; empty: no end) drops out, and its `used` becomes
// infinite.
void serve_in_turn(std::span<const double> weights, std::span<const double> limits, std::span<double> used,
                   int64_t first, std::span<int16_t> datasets, std::span<int64_t> samples);

// The same for eight stretches of places at once, side by side in the lanes of vector registers, none of which may
// exhaust a dataset.
struct BlendLanes {
  static constexpr size_t kLanes = 8;
  static bool available();  // on this processor

  // `used` [weights][8]; `first` [8]; `datasets` and `samples` [8][steps], or null for a run that only moves `used` on.
  static void serve(std::span<const double> weights, std::span<double> used, std::span<const int64_t> first,
                    int64_t steps, int16_t* datasets, int64_t* samples);
};

}  // namespace longhaul
