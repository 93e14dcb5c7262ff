// The order of a blend, as Megatron's BlendedDataset builds it. Two arrays make it:
//
//   dataset index         [samples]  i16  which dataset the i-th sample comes from
//   dataset sample index  [samples]  i64  which of that dataset's samples it is: 0, 1, 2, … for each dataset
//
// The next sample comes from the dataset that lags furthest behind its share, w · i − used, in plain doubles. Nothing
// is drawn: the first n entries depend on the weights alone, not on how many there are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/index_array.h"
#include "data/index_array_writer.h"

namespace longhaul {

struct BlendIndex {
  IndexArray datasets;
  IndexArray samples;
};

// Where the arrays are put; they must have room for `size` samples.
struct BlendIndexWriters {
  IndexArrayWriter& datasets;
  IndexArrayWriter& samples;
};

// The weights over their sum, both as NumPy computes them: its sum is pairwise, which shows in the last bits.
std::vector<double> normalized(std::span<const double> weights);

// `size` samples in proportion to `weights`, which have the sum 1.
void build_blend_index(std::span<const double> weights, int64_t size, BlendIndexWriters arrays);

// The first `size` samples of datasets with these lengths (each above 0), in proportion to them: like
// build_blend_index, but a dataset that is used up drops out, so that `size`, at most the sum of the lengths, can be
// all of them.
void build_blend_index_by_size(std::span<const int64_t> lengths, int64_t size, BlendIndexWriters arrays);

// How many samples of each of `datasets` datasets the index uses.
std::vector<int64_t> samples_used(const BlendIndex& index, size_t datasets);

}  // namespace longhaul
