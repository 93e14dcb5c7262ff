#include "data/torch_permutation.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "longhaul/core/error.h"
#include "longhaul/data/mersenne_twister.h"

namespace longhaul {
namespace {

// Calls use(i, place(i)) for each i in [0, n), in order. Places are drawn a batch ahead and fetched from
// memory meanwhile: large arrays lie in no cache.
template <typename Place, typename Use>
void at_drawn_places(int64_t n, const std::vector<uint32_t>& values, Place place, Use use) {
  constexpr int64_t kBatch = 256;
  std::array<std::array<int64_t, kBatch>, 2> places;
  const auto draw = [&](int64_t begin) {
    auto& drawn = places[static_cast<size_t>(begin / kBatch % 2)];
    for (int64_t i = begin; i < std::min(begin + kBatch, n); ++i) {
      const int64_t at = place(i);
      __builtin_prefetch(&values[static_cast<size_t>(at)], 1);
      drawn[static_cast<size_t>(i - begin)] = at;
    }
  };
  draw(0);
  for (int64_t begin = 0; begin < n; begin += kBatch) {
    draw(begin + kBatch);
    const auto& drawn = places[static_cast<size_t>(begin / kBatch % 2)];
    for (int64_t i = begin; i < std::min(begin + kBatch, n); ++i) {
      use(static_cast<size_t>(i), static_cast<size_t>(drawn[static_cast<size_t>(i - begin)]));
    }
  }
}

}  // namespace

void torch_permutation(int64_t n, uint32_t seed, std::vector<uint32_t>& permutation, int64_t wide_from) {
  LONGHAUL_CHECK(n >= 0 && n <= int64_t{1} << 32, "a permutation of {} numbers", n);
  MersenneTwister generator(seed);
  permutation.resize(static_cast<size_t>(n));
  std::iota(permutation.begin(), permutation.end(), uint32_t{0});
  if (n < wide_from) {
    at_drawn_places(
        n - 1, permutation,
        [&](int64_t i) { return i + static_cast<int64_t>(generator() % static_cast<uint32_t>(n - i)); },
        [&](size_t i, size_t place) { std::swap(permutation[i], permutation[place]); });
    return;
  }
  const auto wide = [&](int64_t i) {
    const uint64_t high = generator();
    return static_cast<int64_t>(((high << 32) | generator()) % static_cast<uint64_t>(i + 1));
  };
  at_drawn_places(n, permutation, wide, [&](size_t i, size_t place) {
    permutation[i] = permutation[place];
    permutation[place] = static_cast<uint32_t>(i);
  });
}

}  // namespace longhaul
