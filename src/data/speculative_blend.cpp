#include "data/speculative_blend.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "data/greedy_blend.h"
#include "data/in_parallel.h"

namespace longhaul {
namespace {

constexpr int64_t kStretch = 1 << 14;  // places
constexpr size_t kLanes = BlendLanes::kLanes;

}  // namespace

SpeculativeBlend::SpeculativeBlend(std::vector<double> weights, std::vector<double> limits)
    : weights_(std::move(weights)), limits_(std::move(limits)), used_(weights_.size(), 0.0) {}

// Everyone's share rounded down, and one more for those with the largest rest: never far from the truth. What the
// places of exhausted datasets would have been is spread evenly over the others.
std::vector<double> SpeculativeBlend::guess(int64_t place) const {
  const auto at = static_cast<double>(place);
  std::vector<size_t> open;
  double wanted = 0, left = at;
  for (size_t d = 0; d < weights_.size(); ++d) {
    if (std::isinf(used_[d])) {
      left -= limits_[d];
    } else {
      open.push_back(d);
      wanted += weights_[d] * at;
    }
  }
  const double more = (left - wanted) / static_cast<double>(open.size());
  std::vector<double> counts = used_, rests(weights_.size());
  for (const size_t d : open) {
    const double share = weights_[d] * at + more;
    counts[d] = std::max(std::floor(share), 0.0);
    rests[d] = share - counts[d];
    left -= counts[d];
  }
  const auto lucky =
      open.begin() + std::clamp<int64_t>(static_cast<int64_t>(left), 0, static_cast<int64_t>(open.size()));
  std::nth_element(open.begin(), lucky, open.end(), [&](size_t a, size_t b) { return rests[a] > rests[b]; });
  std::for_each(open.begin(), lucky, [&](size_t d) { counts[d] += 1; });
  return counts;
}

bool SpeculativeBlend::exhausts_any() const {
  for (size_t d = 0; d < limits_.size(); ++d) {
    if (!std::isinf(used_[d]) && used_[d] >= limits_[d]) return true;
  }
  return false;
}

// Makes the places of 8 stretches a thread in datasets_ and samples_. False, with nothing changed, when a dataset runs
// out on the way.
bool SpeculativeBlend::try_round(size_t threads) {
  const size_t count = weights_.size(), stretches = threads * kLanes;
  const int64_t warm_up = std::clamp<int64_t>(16 * static_cast<int64_t>(count), 1024, kStretch);
  const std::vector<double> used_before = used_;
  // [stretches][count]: what each stretch began and ended with
  std::vector<std::vector<double>> began(stretches), ended(stretches);
  datasets_.resize(stretches * kStretch);
  samples_.resize(stretches * kStretch);
  in_parallel(threads, [&](size_t thread) {
    std::vector<double> lanes(count * kLanes);
    std::array<int64_t, kLanes> first, early;
    const auto put = [&](size_t lane, const std::vector<double>& counts) {
      for (size_t d = 0; d < count; ++d) lanes[d * kLanes + lane] = counts[d];
    };
    const auto take = [&](size_t lane) {
      std::vector<double> counts(count);
      for (size_t d = 0; d < count; ++d) counts[d] = lanes[d * kLanes + lane];
      return counts;
    };
    for (size_t lane = 0; lane < kLanes; ++lane) {
      first[lane] = place_ + static_cast<int64_t>(thread * kLanes + lane) * kStretch;
      early[lane] = std::max<int64_t>(first[lane] - warm_up, 0);
      put(lane, guess(early[lane]));
    }
    BlendLanes::serve(weights_, lanes, early, warm_up, nullptr, nullptr);
    if (thread == 0) put(0, used_before);
    for (size_t lane = 0; lane < kLanes; ++lane) began[thread * kLanes + lane] = take(lane);
    const size_t offset = thread * kLanes * kStretch;
    BlendLanes::serve(weights_, lanes, first, kStretch, datasets_.data() + offset, samples_.data() + offset);
    for (size_t lane = 0; lane < kLanes; ++lane) ended[thread * kLanes + lane] = take(lane);
  });
  for (size_t i = 0; i < stretches; ++i) {
    if (began[i] == used_) {
      used_ = std::move(ended[i]);
      continue;
    }
    const size_t offset = i * kStretch;
    serve_in_turn(weights_, {}, used_, place_ + static_cast<int64_t>(offset),
                  std::span(datasets_).subspan(offset, kStretch), std::span(samples_).subspan(offset, kStretch));
  }
  if (exhausts_any()) {
    used_ = used_before;
    return false;
  }
  place_ += static_cast<int64_t>(stretches) * kStretch;
  return true;
}

void SpeculativeBlend::serve(int64_t size,
                             const std::function<void(std::span<const int16_t>, std::span<const int64_t>)>& use) {
  const size_t threads = index_threads();
  const auto round = static_cast<int64_t>(threads * kLanes) * kStretch;
  const int64_t end = place_ + size;
  int64_t in_turn_until = BlendLanes::available() ? place_ : end;
  while (place_ < end) {
    const bool whole = place_ >= in_turn_until && end - place_ >= round;
    if (whole && !try_round(threads)) in_turn_until = place_ + round;  // past the place where a dataset drops out
    if (!whole || place_ < in_turn_until) {
      const auto count = static_cast<size_t>(std::min(end - place_, kStretch));
      datasets_.resize(count);
      samples_.resize(count);
      serve_in_turn(weights_, limits_, used_, place_, datasets_, samples_);
      place_ += static_cast<int64_t>(count);
    }
    use(datasets_, samples_);
  }
}

}  // namespace longhaul
