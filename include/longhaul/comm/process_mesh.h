// The mesh with communicators: what a rank uses to talk along an axis.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "longhaul/comm/communicator.h"
#include "longhaul/comm/mesh.h"

namespace longhaul::comm {

// Groups along several axes that a run needs beside those along one. A model's copy is spread over tensor ×
// pipeline; its gradients are summed over data × context.
inline const std::vector<AxisSet> kCombinedGroups = {{Axis::tensor, Axis::pipeline}, {Axis::data, Axis::context}};

class ProcessMesh {
 public:
  // A collective call over `world`, which must outlive the mesh: splits off a group along each axis, one for
  // each of `combined`, and the embedding group, in this order on all ranks. Throws UserError when the shape
  // does not have as many ranks as the world.
  ProcessMesh(Communicator& world, const MeshShape& shape, const AxisOrder& order = kMegatronOrder,
              const std::vector<AxisSet>& combined = kCombinedGroups);

  const Mesh& mesh() const { return mesh_; }
  const MeshShape& shape() const { return mesh_.shape(); }
  const MeshCoordinates& coordinates() const { return coordinates_; }  // of this rank

  Communicator& world() const { return world_; }
  Communicator& tensor() const { return group({Axis::tensor}); }
  Communicator& context() const { return group({Axis::context}); }
  Communicator& expert() const { return group({Axis::expert}); }
  Communicator& data() const { return group({Axis::data}); }
  Communicator& pipeline() const { return group({Axis::pipeline}); }
  Communicator& model() const { return group({Axis::tensor, Axis::pipeline}); }
  // Along one axis, or a set that was among `combined`.
  Communicator& group(AxisSet axes) const;
  // First and last stage; null on ranks of stages between. See Mesh::embedding_groups.
  Communicator* embedding() const { return embedding_.get(); }

  bool is_first_stage() const { return coordinates_.pipeline == 0; }
  bool is_last_stage() const { return coordinates_.pipeline == shape().pipeline - 1; }

 private:
  Communicator& world_;
  Mesh mesh_;
  MeshCoordinates coordinates_;
  std::map<AxisSet, std::unique_ptr<Communicator>> groups_;
  std::unique_ptr<Communicator> embedding_;
};

}  // namespace longhaul::comm
