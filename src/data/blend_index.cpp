#include "data/blend_index.h"

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <utility>

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

// Serves `size` samples; `limits` says how many each dataset has.
BlendIndex greedy(std::span<const double> weights, std::span<const int64_t> limits, int64_t size) {
  std::vector<int16_t> datasets(static_cast<size_t>(size));
  std::vector<int64_t> samples(static_cast<size_t>(size));
  std::vector<int64_t> used(weights.size(), 0);
  std::vector<size_t> candidates(weights.size());  // those with samples left, in ascending order
  std::iota(candidates.begin(), candidates.end(), size_t{0});
  for (size_t i = 0; i < datasets.size(); ++i) {
    const double served = std::max(static_cast<double>(i), 1.0);
    size_t chosen = 0;
    double furthest = std::numeric_limits<double>::lowest();
    for (const size_t dataset : candidates) {
      const double behind = weights[dataset] * served - static_cast<double>(used[dataset]);
      if (behind > furthest) {
        furthest = behind;
        chosen = dataset;
      }
    }
    datasets[i] = static_cast<int16_t>(chosen);
    samples[i] = used[chosen]++;
    if (used[chosen] == limits[chosen]) std::erase(candidates, chosen);
  }
  return {IndexArray(std::move(datasets)), IndexArray(std::move(samples))};
}

}  // namespace

std::vector<double> normalized(std::span<const double> weights) {
  const double sum = pairwise_sum(weights);
  std::vector<double> shares;
  for (const double weight : weights) shares.push_back(weight / sum);
  return shares;
}

BlendIndex build_blend_index(std::span<const double> weights, int64_t size) {
  const std::vector<int64_t> unlimited(weights.size(), std::numeric_limits<int64_t>::max());
  return greedy(weights, unlimited, size);
}

BlendIndex build_blend_index_by_size(std::span<const int64_t> lengths, int64_t size) {
  const int64_t total = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  LONGHAUL_CHECK(size <= total, "{} samples of {}", size, total);
  std::vector<double> weights;
  for (const int64_t length : lengths) weights.push_back(static_cast<double>(length) / static_cast<double>(total));
  return greedy(weights, lengths, size);
}

std::vector<int64_t> samples_used(const BlendIndex& index, size_t datasets) {
  std::vector<int64_t> used(datasets, 0);
  for (int64_t i = 0; i < index.datasets.rows(); ++i) ++used.at(static_cast<size_t>(index.datasets[i]));
  return used;
}

}  // namespace longhaul
