// How a ProcessMesh splits the world, seen by a communicator that only writes down what it is asked.
#include "longhaul/comm/process_mesh.h"

#include <gtest/gtest.h>

#include <map>

#include "longhaul/core/error.h"

namespace longhaul::comm {
namespace {

struct Split {
  int colour;
  std::string name;
};

class Recorder : public Communicator {
 public:
  Recorder(int rank, int size, std::string name) : Communicator(rank, size, std::move(name)) {}
  Work all_reduce(Buffer, ReduceOp) override { return {}; }
  Work reduce_scatter(ConstBuffer, Buffer, ReduceOp) override { return {}; }
  Work all_gather(ConstBuffer, Buffer) override { return {}; }
  Work all_to_all(ConstBuffer, std::span<const int64_t>, Buffer, std::span<const int64_t>) override { return {}; }
  Work broadcast(Buffer, int) override { return {}; }
  Work send(ConstBuffer, int) override { return {}; }
  Work receive(Buffer, int) override { return {}; }
  void barrier() override {}
  std::unique_ptr<Communicator> split(int colour, const std::string& name) override {
    splits.push_back({colour, name});
    return colour < 0 ? nullptr : std::make_unique<Recorder>(0, 1, name);
  }
  void abort(const std::string&, int) override {}
  void set_timeout(std::chrono::milliseconds) override {}
  std::vector<Split> splits;
};

TEST(ProcessMesh, AllRanksSplitTheSameGroupsInTheSameOrder) {
  const MeshShape shape{.tensor = 2, .context = 1, .expert = 1, .data = 2, .pipeline = 3};
  const Mesh mesh(shape);
  std::map<std::string, std::map<int, std::vector<int64_t>>> members;  // by name and colour
  std::vector<std::string> order;
  for (int rank = 0; rank < shape.ranks(); ++rank) {
    Recorder world(rank, static_cast<int>(shape.ranks()), "world");
    const ProcessMesh process(world, shape);
    EXPECT_EQ(process.coordinates(), mesh.coordinates(rank));
    EXPECT_EQ(process.embedding() != nullptr, process.is_first_stage() || process.is_last_stage());
    EXPECT_EQ(process.model().name(), "tensor × pipeline");
    EXPECT_EQ(process.data().name(), "data");
    EXPECT_EQ(process.group({Axis::context, Axis::data}).name(), "context × data");
    EXPECT_THROW(process.group({Axis::tensor, Axis::data}), InternalError);
    std::vector<std::string> names;
    for (const Split& split : world.splits) {
      names.push_back(split.name);
      if (split.colour >= 0) members[split.name][split.colour].push_back(rank);
    }
    if (rank == 0) order = names;
    EXPECT_EQ(names, order);
  }
  const auto expect = [&](const char* name, const std::vector<std::vector<int64_t>>& groups) {
    std::vector<std::vector<int64_t>> split;
    for (const auto& [colour, ranks] : members[name]) split.push_back(ranks);
    EXPECT_EQ(split, groups) << name;
  };
  expect("tensor", mesh.groups({Axis::tensor}));
  expect("data", mesh.groups({Axis::data}));
  expect("pipeline", mesh.groups({Axis::pipeline}));
  expect("tensor × pipeline", mesh.groups({Axis::tensor, Axis::pipeline}));
  expect("context × data", mesh.groups({Axis::data, Axis::context}));
  expect("embedding", mesh.embedding_groups());
}

TEST(ProcessMesh, RefusesAWorldOfAnotherSize) {
  Recorder world(0, 6, "world");
  try {
    ProcessMesh(world, {.tensor = 2, .data = 2});
    FAIL();
  } catch (const UserError& error) {
    EXPECT_STREQ(error.what(),
                 "there are 6 ranks, but the layout tensor 2 × context 1 × expert 1 × data 2 × pipeline 1 "
                 "has 4: start 4 "
                 "ranks, or change parallel.*");
  }
  EXPECT_TRUE(world.splits.empty());
}

}  // namespace
}  // namespace longhaul::comm
