#include "data/greedy_blend.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "longhaul/core/error.h"

namespace longhaul {

void serve_in_turn(std::span<const double> weights, std::span<const double> limits, std::span<double> used,
                   int64_t first, std::span<int16_t> datasets, std::span<int64_t> samples) {
  for (size_t i = 0; i < datasets.size(); ++i) {
    const double place = std::max(static_cast<double>(first + static_cast<int64_t>(i)), 1.0);
    size_t chosen = 0;
    double furthest = std::numeric_limits<double>::lowest();
    for (size_t d = 0; d < weights.size(); ++d) {
      const double behind = weights[d] * place - used[d];
      if (behind > furthest) {
        furthest = behind;
        chosen = d;
      }
    }
    datasets[i] = static_cast<int16_t>(chosen);
    samples[i] = static_cast<int64_t>(used[chosen]++);
    if (!limits.empty() && used[chosen] == limits[chosen]) used[chosen] = std::numeric_limits<double>::infinity();
  }
}

#if defined(__x86_64__)
namespace {

using Four [[gnu::vector_size(32)]] = double;
constexpr size_t kFours = BlendLanes::kLanes / 4;

}  // namespace

bool BlendLanes::available() {
  return __builtin_cpu_supports("avx2");
}

// Dataset numbers and counts are doubles here, exact and of one width with everything else. What a step has chosen is
// counted when the next step passes by.
[[gnu::target("avx2")]] void BlendLanes::serve(std::span<const double> weights, std::span<double> used,
                                               std::span<const int64_t> first, int64_t steps, int16_t* datasets,
                                               int64_t* samples) {
  const Four zero{}, one = zero + 1.0, lowest = zero + std::numeric_limits<double>::lowest();
  Four place[kFours], previous[kFours];
  for (size_t lane = 0; lane < kLanes; ++lane) place[lane / 4][lane % 4] = static_cast<double>(first[lane]);
  for (Four& none : previous) none = zero - 1.0;
  for (int64_t step = 0; step < steps; ++step) {
    Four x[kFours], furthest[kFours], chosen[kFours], count[kFours];
    for (size_t g = 0; g < kFours; ++g) {
      x[g] = place[g] > one ? place[g] : one;
      place[g] += one;
      furthest[g] = lowest;
      chosen[g] = count[g] = zero;
    }
    Four number = zero;
    double* row = used.data();
    for (const double weight : weights) {
      for (size_t g = 0; g < kFours; ++g, row += 4) {
        Four served;
        std::memcpy(&served, row, sizeof(served));
        served += previous[g] == number ? one : zero;
        std::memcpy(row, &served, sizeof(served));
        const Four behind = weight * x[g] - served;
        const auto further = behind > furthest[g];
        furthest[g] = further ? behind : furthest[g];
        chosen[g] = further ? number : chosen[g];
        count[g] = further ? served : count[g];
      }
      number += one;
    }
    for (size_t g = 0; g < kFours; ++g) previous[g] = chosen[g];
    if (datasets == nullptr) continue;
    double datasets_now[kLanes], counts_now[kLanes];
    std::memcpy(datasets_now, chosen, sizeof(datasets_now));
    std::memcpy(counts_now, count, sizeof(counts_now));
    for (size_t lane = 0; lane < kLanes; ++lane) {
      const auto at = lane * static_cast<size_t>(steps) + static_cast<size_t>(step);
      datasets[at] = static_cast<int16_t>(datasets_now[lane]);
      samples[at] = static_cast<int64_t>(counts_now[lane]);
    }
  }
  for (size_t lane = 0; lane < kLanes && steps > 0; ++lane) {
    used[static_cast<size_t>(previous[lane / 4][lane % 4]) * kLanes + lane] += 1;
  }
}
#else
bool BlendLanes::available() {
  return false;
}
void BlendLanes::serve(std::span<const double>, std::span<double>, std::span<const int64_t>, int64_t, int16_t*,
                       int64_t*) {
  LONGHAUL_CHECK(false, "no vector registers");
}
#endif

}  // namespace longhaul
