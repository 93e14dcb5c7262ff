// Compositions, fuzzed: a random mix of options either trains as on one rank, or is refused before anything
// runs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>

#include "longhaul/core/error.h"
#include "unit/train/composition.h"
#include "unit/train/layout_run.h"

namespace longhaul {
namespace {

constexpr uint64_t kSeed = 20260801;

// 50, or LONGHAUL_COMPOSITIONS; from LONGHAUL_COMPOSITIONS_FROM on.
int64_t from_environment(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::stoll(text) : otherwise;
}

// Why this can't train; nothing is allocated for the answer.
std::optional<std::string> refusal(const Composition& composition) {
  try {
    require_layout(resolved(composition.recipe), composition.ranks);
    return std::nullopt;
  } catch (const UserError& error) {
    return error.what();
  }
}

double difference(const LayoutRun& truth, const LayoutRun& run) {
  double worst = relative_difference(truth.weights, run.weights);
  for (size_t step = 0; step < truth.losses.size(); ++step) {
    worst = std::max({worst, relative_difference(truth.losses[step], run.losses[step]),
                      relative_difference(truth.norms[step], run.norms[step])});
  }
  return worst;
}

TEST(Compositions, TrainAsOneRankDoesOrAreRefused) {
  const int64_t first = from_environment("LONGHAUL_COMPOSITIONS_FROM", 0);
  const int64_t count = from_environment("LONGHAUL_COMPOSITIONS", 50);
  int64_t trained = 0, refused = 0;
  double worst = 0;
  for (int64_t index = first; index < first + count; ++index) {
    const Composition composition = draw_composition(kSeed, index);
    SCOPED_TRACE(fmt::format("composition {}: {}", index, describe(composition)));
    if (const auto why = refusal(composition)) {
      ++refused;
      if (count == 1) std::printf("%s\n", why->c_str());
      continue;
    }
    try {
      const RunOptions options{.dtype = at::kDouble, .documents = composition.documents};
      const LayoutRun truth = train_in_layout(on_one_rank(composition.recipe), 1, options);
      const LayoutRun run = train_in_layout(composition.recipe, composition.ranks, options);
      ASSERT_EQ(run.losses.size(), truth.losses.size());
      const double distance = difference(truth, run);
      EXPECT_LT(distance, 1e-11);
      worst = std::max(worst, distance);
      ++trained;
    } catch (const std::exception& error) {
      ADD_FAILURE() << "neither trained nor refused up front: " << error.what();
    }
  }
  std::printf("%lld compositions: %lld trained as one rank does, within %.1e; %lld were refused\n",
              static_cast<long long>(count), static_cast<long long>(trained), worst, static_cast<long long>(refused));
  EXPECT_GE(2 * trained, count);
}

}  // namespace
}  // namespace longhaul
