// What trainer.cuda_graphs can't record: whatever differs from one micro-batch to the next in more than the numbers
// that a kernel reads from memory.
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <vector>

#include "longhaul/core/error.h"
#include "longhaul/recipes/recipe.h"

namespace longhaul {

void require_cuda_graphs(const Recipe& recipe, int64_t ranks) {
  if (recipe.trainer.cuda_graphs == CudaGraphs::none) return;
  std::vector<std::string> problems, remedies;
  const auto refuse = [&](bool refused, const std::string& problem, const std::string& remedy) {
    if (!refused) return;
    problems.push_back(problem);
    remedies.push_back(remedy);
  };
  refuse(recipe.trainer.device == DeviceChoice::cpu, "trainer.device is cpu", "trainer.device=cuda");
  refuse(recipe.data.reset_attention_mask, "data.reset_attention_mask gives every micro-batch other borders",
         "data.reset_attention_mask=false");
  refuse(recipe.data.reset_position_ids, "data.reset_position_ids gives every micro-batch other positions",
         "data.reset_position_ids=false");
  refuse(recipe.recompute.offload, "recompute.offload moves tensors to the host", "recompute.offload=false");
  const int64_t least = std::max(ranks, recipe.parallel.model_ranks());
  const std::string one_rank = recipe.parallel.model_ranks() > 1 ? "a layout of one rank" : "one rank";
  refuse(least > 1, fmt::format("{} ranks exchange data within a step", least), one_rank);
  if (problems.empty()) return;
  throw UserError("trainer.cuda_graphs {} does not fit: {}. Choose {}, or trainer.cuda_graphs=none",
                  name_of(recipe.trainer.cuda_graphs), fmt::join(problems, ", and "), fmt::join(remedies, " "));
}

}  // namespace longhaul
