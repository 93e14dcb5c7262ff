#include "train/parallel_layout.h"

#include "longhaul/core/error.h"
#include "longhaul/parallel/stage_layers.h"
#include "longhaul/recipes/layouts.h"
#include "longhaul/recipes/rank_share.h"
#include "ops/tensor_buffer.h"

namespace longhaul {

ParallelLayout::ParallelLayout(const Recipe& recipe, comm::Communicator* world, comm::Communicator* tensors)
    : config_(recipe.parallel), layers_(recipe.model.layers), world_(world) {
  require_layout(recipe, ranks());
  if (ranks() == 1) return;
  const comm::Mesh mesh = mesh_of(recipe, ranks());
  mesh_ = std::make_unique<comm::ProcessMesh>(tensors != nullptr ? *tensors : *world, mesh.shape(), mesh.order());
}

TensorGroup ParallelLayout::tensor() const {
  return {group(mesh_ ? &mesh_->tensor() : nullptr), config_.sequence, config_.tensor_chunks};
}

std::vector<Stage> ParallelLayout::stages() const {
  const int64_t rank = stage();
  std::vector<Stage> stages;
  for (int64_t chunk = 0; chunk < config_.virtual_pipeline; ++chunk) {
    const auto layers = parallel::layers_of_stage(layers_, config_.pipeline, config_.virtual_pipeline, rank, chunk,
                                                  layer_split(config_));
    stages.push_back({.first_layer = layers.begin,
                      .layers = layers.count(),
                      .embedding = chunk == 0 && rank == 0,
                      .output = chunk == config_.virtual_pipeline - 1 && rank == config_.pipeline - 1});
  }
  return stages;
}

const std::vector<parallel::PipelineStep>& ParallelLayout::program(int64_t micro_batches) const {
  const auto [entry, fresh] = programs_.try_emplace(micro_batches);
  if (fresh) entry->second = parallel::pipeline_program(pipeline_shape(config_, micro_batches), stage());
  return entry->second;
}

OptimizerRanks ParallelLayout::optimizer_ranks(bool tied_embeddings) const {
  return {.data = data(),
          .model = model(),
          .ends = tied_embeddings ? group(mesh_ ? mesh_->embedding() : nullptr) : nullptr,
          .sharding = config_.sharding,
          .gradient_reduction = config_.gradient_reduction};
}

ParameterStore::Options ParallelLayout::store_options(c10::ScalarType dtype, c10::Device device) const {
  const bool shared = data() != nullptr;
  if (config_.register_buffers && !shared) {
    throw UserError(
        "parallel.register_buffers is for data-parallel ranks, but there is one: set parallel.register_buffers=false");
  }
  const auto registered = [ranks = data(), bytes = registered_bytes_](int64_t elements,
                                                                      const at::TensorOptions& options) {
    const at::Tensor zeros = ops::registered_zeros(*ranks, elements, options);
    *bytes += static_cast<int64_t>(zeros.nbytes());
    return zeros;
  };
  return {.dtype = dtype,
          .device = device,
          .flat_multiple = data_ranks(),
          .values_on_demand = shared && config_.sharding == Sharding::parameters,
          .gradients_on_demand = shared && config_.sharding >= Sharding::gradients,
          .zeros = config_.register_buffers ? registered : decltype(ParameterStore::Options::zeros)(),
          .tensor = tensor()};
}

}  // namespace longhaul
