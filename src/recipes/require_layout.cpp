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

// What no layout has yet.
void require_known_axes(const ParallelConfig& p) {
  std::vector<std::string> problems, remedies;
  const auto refuse = [&](const std::string& problem, const std::string& remedy) {
    problems.push_back(problem);
    remedies.push_back(remedy);
  };
  if (p.context > 1) refuse(fmt::format("parallel.context is {}", p.context), "parallel.context=1");
  if (p.expert > 1) refuse(fmt::format("parallel.expert is {}", p.expert), "parallel.expert=1");
  if (!problems.empty())
    throw UserError("{}, which Longhaul can't train with yet: add {}", fmt::join(problems, " and "),
                    fmt::join(remedies, " "));
}

}  // namespace

void require_layout(const Recipe& recipe, int64_t ranks) {
  require_known_axes(recipe.parallel);
  require_layout(recipe.parallel, layout_needs(recipe, ranks));
}

}  // namespace longhaul
