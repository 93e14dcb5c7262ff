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

// A dataset with samples left. Counts are doubles, exact up to 2^53.
struct Candidate {
  double weight;
  double limit;  // samples in all
  int16_t dataset;
  double used = 0;
};

// Serves `size` samples to the candidates, which stand in ascending order.
BlendIndex greedy(std::vector<Candidate> candidates, int64_t size) {
  std::vector<int16_t> datasets(static_cast<size_t>(size));
  std::vector<int64_t> samples(static_cast<size_t>(size));
  for (size_t i = 0; i < datasets.size(); ++i) {
    const double place = std::max(static_cast<double>(i), 1.0);
    size_t chosen = 0;
    double furthest = std::numeric_limits<double>::lowest();
    for (size_t at = 0; at < candidates.size(); ++at) {
      const double behind = candidates[at].weight * place - candidates[at].used;
      if (behind > furthest) {
        furthest = behind;
        chosen = at;
      }
    }
    Candidate& next = candidates[chosen];
    datasets[i] = next.dataset;
    samples[i] = static_cast<int64_t>(next.used++);
    if (next.used == next.limit) candidates.erase(candidates.begin() + static_cast<std::ptrdiff_t>(chosen));
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
  std::vector<Candidate> candidates;
  for (const double weight : weights) {
    candidates.push_back({weight, std::numeric_limits<double>::infinity(), static_cast<int16_t>(candidates.size())});
  }
  return greedy(std::move(candidates), size);
}

BlendIndex build_blend_index_by_size(std::span<const int64_t> lengths, int64_t size) {
  const int64_t total = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
  LONGHAUL_CHECK(size <= total, "{} samples of {}", size, total);
  std::vector<Candidate> candidates;
  for (const int64_t length : lengths) {
    const auto limit = static_cast<double>(length);
    candidates.push_back({limit / static_cast<double>(total), limit, static_cast<int16_t>(candidates.size())});
  }
  return greedy(std::move(candidates), size);
}

std::vector<int64_t> samples_used(const BlendIndex& index, size_t datasets) {
  std::vector<int64_t> used(datasets, 0);
  for (int64_t i = 0; i < index.datasets.rows(); ++i) ++used.at(static_cast<size_t>(index.datasets[i]));
  return used;
}

}  // namespace longhaul
