// Whether a recipe's layout fits the ranks that a run was started with. What does not depend on them, validate()
// checks.
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "longhaul/core/error.h"
#include "longhaul/recipes/layouts.h"
#include "longhaul/recipes/recipe.h"

namespace longhaul {
namespace {

// What goes without context ranks, and what makes up for it.
std::string without_context(const Recipe& r) {
  ParallelConfig wider = r.parallel;
  wider.context = 1;
  wider.tensor *= r.parallel.context;
  wider.sequence = true;
  std::vector<std::string> ways;
  if (layout_problems(wider, layout_needs(r)).empty())
    ways.push_back(fmt::format("parallel.tensor={} parallel.sequence=true", wider.tensor));
  if (r.recompute.mode != RecomputeMode::full) ways.push_back("recompute.mode=full");
  const std::string more =
      fmt::format(". A rank then keeps the activations of {} times as many tokens", r.parallel.context);
  return ways.empty() ? more : fmt::format("{}; what makes room for them: {}", more, fmt::join(ways, ", or "));
}

// What no layout has yet.
void require_known_axes(const Recipe& r) {
  const ParallelConfig& p = r.parallel;
  std::vector<std::string> problems, remedies;
  const auto refuse = [&](const std::string& problem, const std::string& remedy) {
    problems.push_back(problem);
    remedies.push_back(remedy);
  };
  if (p.context > 1) refuse(fmt::format("parallel.context is {}", p.context), "parallel.context=1");
  if (p.expert > 1) refuse(fmt::format("parallel.expert is {}", p.expert), "parallel.expert=1");
  if (!problems.empty())
    throw UserError("{}, which Longhaul can't train with yet: add {}{}", fmt::join(problems, " and "),
                    fmt::join(remedies, " "), p.context > 1 ? without_context(r) : "");
}

}  // namespace

void require_layout(const Recipe& recipe, int64_t ranks) {
  require_known_axes(recipe);
  require_layout(recipe.parallel, layout_needs(recipe, ranks));
}

}  // namespace longhaul
