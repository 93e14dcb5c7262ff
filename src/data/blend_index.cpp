#include "data/blend_index.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "data/speculative_blend.h"
#include "longhaul/core/error.h"

namespace longhaul {
namespace {

// NumPy's sum of a contiguous array: eight running sums over blocks of at most 128.
double pairwise_sum(std::span<const double> values) {
  constexpr size_t kLanes = 8, kBlock = 128;
  const size_t count = values.size();
  if (count < kLanes) {
    double sum = 0;
    for (const double value : values) sum += value;
    return sum;
  }
  if (count > kBlock) {
    const size_t half = count / 2 / kLanes * kLanes;
    return pairwise_sum(values.first(half)) + pairwise_sum(values.subspan(half));
  }
  std::array<double, kLanes> lanes;
  std::copy_n(values.begin(), kLanes, lanes.begin());
  size_t at = kLanes;
  for (; at + kLanes <= count; at += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += values[at + lane];
  }
  double sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
  for (; at < count; ++at) sum += values[at];
  return sum;
}

void serve(std::vector<double> weights, std::vector<double> limits, int64_t size, BlendIndexWriters arrays) {
  SpeculativeBlend(std::move(weights), std::move(limits))
      .serve(size, [&](std::span<const int16_t> datasets, std::span<const int64_t> samples) {
        arrays.datasets.append(datasets);
        arrays.samples.append(samples);
      });
}

}  // namespace

std::vector<double> normalized(std::span<const double> weights) {
  const double sum = pairwise_sum(weights);
  std::vector<double> shares;
  for (const double weight : weights) shares.push_back(weight / sum);
  return shares;
}

void build_blend_index(std::span<const double> weights, int64_t size, BlendIndexWriters arrays) {
  serve({weights.begin(), weights.end()}, {}, size, arrays);
}

void build_blend_index_by_size(std::span<const int64_t> lengths, int64_t size, BlendIndexWriters arrays) {
  const int64_t total = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  LONGHAUL_CHECK(size <= total, "{} samples of {}", size, total);
  std::vector<double> weights, limits(lengths.begin(), lengths.end());
  for (const double length : limits) weights.push_back(length / static_cast<double>(total));
  serve(std::move(weights), std::move(limits), size, arrays);
}

std::vector<int64_t> samples_used(const BlendIndex& index, size_t datasets) {
  // A dataset's samples are served in order: the last one tells how many they are.
  std::vector<int64_t> used(datasets, 0);
  size_t unseen = datasets;
  for (int64_t i = index.datasets.rows(); i-- > 0 && unseen > 0;) {
    int64_t& count = used.at(static_cast<size_t>(index.datasets[i]));
    if (count > 0) continue;
    count = index.samples[i] + 1;
    --unseen;
  }
  return used;
}

}  // namespace longhaul
