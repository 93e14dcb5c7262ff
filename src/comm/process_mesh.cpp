#include "longhaul/comm/process_mesh.h"

#include "longhaul/core/error.h"

namespace longhaul::comm {
namespace {

Mesh mesh_of(const Communicator& world, const MeshShape& shape, const AxisOrder& order) {
  if (world.size() == shape.ranks()) return Mesh(shape, order);
  throw UserError(
      "there are {} ranks, but the layout tensor {} × context {} × expert {} × data {} × pipeline {} has {}: "
      "start {} "
      "ranks, or change parallel.*",
      world.size(), shape.tensor, shape.context, shape.expert, shape.data, shape.pipeline, shape.ranks(),
      shape.ranks());
}

}  // namespace

ProcessMesh::ProcessMesh(Communicator& world, const MeshShape& shape, const AxisOrder& order,
                         const std::vector<AxisSet>& combined)
    : world_(world), mesh_(mesh_of(world, shape, order)), coordinates_(mesh_.coordinates(world.rank())) {
  const auto add = [this](AxisSet axes) {
    const auto colour = static_cast<int>(mesh_.group_of(world_.rank(), axes));
    groups_.emplace(axes, world_.split(colour, name_of(axes)));
  };
  for (const Axis axis : kAllAxes) add({axis});
  for (const AxisSet axes : combined) add(axes);
  const int64_t column = mesh_.group_of(world.rank(), {Axis::pipeline});
  embedding_ = world.split(mesh_.has_embedding(world.rank()) ? static_cast<int>(column) : -1, "embedding");
}

Communicator& ProcessMesh::group(AxisSet axes) const {
  const auto found = groups_.find(axes);
  LONGHAUL_CHECK(found != groups_.end(), "the mesh was made without a group along {}", name_of(axes));
  return *found->second;
}

}  // namespace longhaul::comm
