// What a recipe's `parallel` section means to one rank: its place in the mesh, the layers it holds, and the groups that
// its parts of the training talk to.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "longhaul/comm/process_mesh.h"
#include "longhaul/model/stage.h"
#include "longhaul/optim/optimizer.h"
#include "longhaul/parallel/pipeline_program.h"
#include "longhaul/parallel/tensor_group.h"
#include "longhaul/recipes/recipe.h"

namespace longhaul {

class ParallelLayout {
 public:
  // A collective call over `world`, which outlives this; null: one process. `tensors`: the same ranks, where tensors
  // travel another way than through `world` (DeviceRanks). `recipe` is resolved. UserError where the layout does not
  // fit the world, the model or the batch.
  ParallelLayout(const Recipe& recipe, comm::Communicator* world, comm::Communicator* tensors = nullptr);

  int64_t ranks() const { return world_ != nullptr ? world_->size() : 1; }
  bool leads() const { return world_ == nullptr || world_->rank() == 0; }  // writes what a run writes once
  comm::Communicator* world() const { return world_; }                     // over host memory

  int64_t stage() const { return mesh_ ? mesh_->coordinates().pipeline : 0; }  // of the pipeline
  int64_t data_ranks() const { return mesh_ ? mesh_->data().size() : 1; }
  int64_t data_rank() const { return mesh_ ? mesh_->data().rank() : 0; }
  comm::Communicator* data() const { return group(mesh_ ? &mesh_->data() : nullptr); }
  comm::Communicator* pipeline() const { return group(mesh_ ? &mesh_->pipeline() : nullptr); }
  // Ranks that read the same samples.
  comm::Communicator* model() const { return group(mesh_ ? &mesh_->model() : nullptr); }
  TensorGroup tensor() const;

  std::vector<Stage> stages() const;
  // What this rank's stages do with so many micro-batches. Worked out once for each number of them.
  const std::vector<parallel::PipelineStep>& program(int64_t micro_batches) const;
  OptimizerRanks optimizer_ranks(bool tied_embeddings) const;
  ParameterStore::Options store_options(c10::ScalarType dtype, c10::Device device) const;  // of the model to train
  int64_t registered_bytes() const {
    return *registered_bytes_;
  }  // of its buffers, which LibTorch's allocator does not count

 private:
  static comm::Communicator* group(comm::Communicator* ranks) {
    return ranks != nullptr && ranks->size() > 1 ? ranks : nullptr;
  }

  const ParallelConfig config_;
  const int64_t layers_;
  const std::shared_ptr<int64_t> registered_bytes_ = std::make_shared<int64_t>(0);
  comm::Communicator* world_;
  std::unique_ptr<comm::ProcessMesh> mesh_;                                  // null: one process
  mutable std::map<int64_t, std::vector<parallel::PipelineStep>> programs_;  // by micro-batches
};

}  // namespace longhaul
