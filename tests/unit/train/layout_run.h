// A short training in some layout, on ranks that are threads, and what came of it.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "longhaul/comm/communicator.h"
#include "longhaul/data/batch.h"
#include "longhaul/model/parameter_store.h"
#include "longhaul/recipes/recipe.h"
#include "ops/device_graph.h"

namespace longhaul {

struct LayoutRun {
  std::vector<double> losses, norms;           // by step
  std::map<std::string, at::Tensor> weights;   // global tensors
  std::map<std::string, at::Tensor> moments2;  // global tensors
  struct Sent {
    comm::Traffic tensor, data, pipeline;  // of the groups along these axes
    comm::Traffic ends;                    // of the two stages that share a tied embedding
  };
  std::vector<Sent> sent;  // by rank, over all steps
};

// A rank's micro-batches of a step: made-up samples of at most so many documents each, of many lengths, with some
// tokens without a loss, of sample 1 of a step all.
std::vector<Batch> batches_of(const Recipe& recipe, int64_t step, int64_t data_rank = 0, int64_t data_ranks = 1,
                              int64_t documents = 2);

struct RunOptions {
  at::ScalarType dtype = at::kFloat;
  int64_t documents = 2;
  // May put something between the ranks and their communicator.
  std::function<std::unique_ptr<comm::Communicator>(comm::Communicator& world)> wrap;
  // Where each rank records its micro-batches; empty: nowhere.
  std::function<std::unique_ptr<ops::DeviceGraph>()> graph;
  // Called on each rank before its first step.
  std::function<void(int rank, ParameterStore& parameters)> built;
};

// Trains `recipe` on those for trainer.max_steps steps.
LayoutRun train_in_layout(const Recipe& recipe, int ranks, const RunOptions& options = {});

double relative_difference(double truth, double other);
// Largest difference over the largest magnitude, over all tensors.
double relative_difference(const std::map<std::string, at::Tensor>& a, const std::map<std::string, at::Tensor>& b);

}  // namespace longhaul
