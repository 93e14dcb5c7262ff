// A blend's order, made in many stretches at once although each place depends on all before it.
//
// The greedy loop forgets: two runs that stand at the same place with slightly different counts soon choose alike, and
// then have the same counts for ever. So a stretch starts from a guess some places ahead of its beginning, and runs;
// when the stretch before it has ended, its counts say whether the guess came right. Where it did not, the stretch is
// made again. So the result is exact whatever the guesses are; they decide on speed alone.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace longhaul {

class SpeculativeBlend {
 public:
  // `weights` have the sum 1; `limits` as serve_in_turn takes them.
  SpeculativeBlend(std::vector<double> weights, std::vector<double> limits);

  // Hands over the datasets and samples of the next `size` places, in order, a piece at a time.
  void serve(int64_t size, const std::function<void(std::span<const int16_t>, std::span<const int64_t>)>& use);

 private:
  bool try_round(size_t threads);
  std::vector<double> guess(int64_t place) const;
  bool exhausts_any() const;

  std::vector<double> weights_;
  std::vector<double> limits_;
  std::vector<double> used_;
  int64_t place_ = 0;
  std::vector<int16_t> datasets_;
  std::vector<int64_t> samples_;
};

}  // namespace longhaul
