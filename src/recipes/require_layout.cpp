// Whether a recipe's layout fits the ranks that a run was started with. What does not depend on them, validate()
// checks.
#include <fmt/ranges.h>

#include <string>
#include <vector>

#include "longhaul/core/error.h"
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
  if (p.sharding == Sharding::gradients || p.sharding == Sharding::parameters)
    refuse(fmt::format("parallel.sharding is {}", name_of(p.sharding)), "parallel.sharding=optimizer");
  if (!problems.empty())
    throw UserError("{}, which Longhaul can't train with yet: add {}", fmt::join(problems, " and "),
                    fmt::join(remedies, " "));
}

}  // namespace

void require_layout(const Recipe& recipe, int64_t ranks) {
  const ParallelConfig& p = recipe.parallel;
  require_known_axes(p);
  const int64_t model_ranks = p.model_ranks();
  if (ranks % model_ranks != 0)
    throw UserError(
        "parallel.tensor {} × parallel.pipeline {} takes a multiple of {} ranks, but this run has {}: start it with "
        "{}, or choose a layout that fits (parallel.tensor=1 parallel.sequence=false parallel.pipeline=1 "
        "parallel.virtual_pipeline=1 parallel.schedule=1f1b fits any number)",
        p.tensor, p.pipeline, model_ranks, ranks,
        ranks == 1 ? fmt::format("`mpirun -n {} llm-pretrain pretrain …`", model_ranks)
                   : fmt::format("{} of them", (ranks / model_ranks + 1) * model_ranks));
  const int64_t replicas = ranks / model_ranks;
  if (recipe.batch.global % (recipe.batch.micro * replicas) != 0)
    throw UserError("batch.global {} does not divide by batch.micro {} × {} data-parallel ranks: choose a batch.global "
                    "that is a multiple of {}", recipe.batch.global, recipe.batch.micro, replicas,
                    recipe.batch.micro * replicas);
}

}  // namespace longhaul
