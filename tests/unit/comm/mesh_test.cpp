#include "longhaul/comm/mesh.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "longhaul/core/error.h"

namespace longhaul::comm {
namespace {

using Groups = std::vector<std::vector<int64_t>>;

TEST(Mesh, TensorRanksAreNeighboursAndStagesFarApart) {
  const Mesh mesh({.tensor = 2, .data = 2, .pipeline = 2});
  EXPECT_EQ(mesh.groups({Axis::tensor}), (Groups{{0, 1}, {2, 3}, {4, 5}, {6, 7}}));
  EXPECT_EQ(mesh.groups({Axis::data}), (Groups{{0, 2}, {1, 3}, {4, 6}, {5, 7}}));
  EXPECT_EQ(mesh.groups({Axis::pipeline}), (Groups{{0, 4}, {1, 5}, {2, 6}, {3, 7}}));
  EXPECT_EQ(mesh.groups({Axis::tensor, Axis::pipeline}), (Groups{{0, 1, 4, 5}, {2, 3, 6, 7}}));
  EXPECT_EQ(mesh.groups({Axis::context, Axis::expert}), (Groups{{0}, {1}, {2}, {3}, {4}, {5}, {6}, {7}}));
  EXPECT_EQ(mesh.coordinates(6), (MeshCoordinates{.tensor = 0, .data = 1, .pipeline = 1}));
}

TEST(Mesh, CoordinatesFollowTheFormula) {
  const MeshShape s{.tensor = 2, .context = 3, .expert = 2, .data = 4, .pipeline = 3};
  const Mesh mesh(s);
  for (int64_t rank = 0; rank < s.ranks(); ++rank) {
    const MeshCoordinates at = mesh.coordinates(rank);
    EXPECT_EQ(rank, at.tensor + 2 * (at.context + 3 * (at.expert + 2 * (at.data + 4 * at.pipeline))));
    EXPECT_EQ(mesh.rank_of(at), rank);
  }
}

// By definition: two ranks are in one group if and only if they agree on all other axes.
TEST(Mesh, GroupsAreByDefinition) {
  AxisOrder order = kAllAxes;
  const MeshShape shape{.tensor = 2, .context = 2, .expert = 1, .data = 3, .pipeline = 2};
  const std::vector<AxisSet> sets = {{},
                                     {Axis::tensor},
                                     {Axis::data, Axis::context},
                                     {Axis::tensor, Axis::pipeline},
                                     {Axis::tensor, Axis::context, Axis::expert, Axis::data, Axis::pipeline}};
  do {
    const Mesh mesh(shape, order);
    for (const AxisSet axes : sets) {
      const Groups groups = mesh.groups(axes);
      std::vector<size_t> group_of(static_cast<size_t>(mesh.ranks()), groups.size());
      for (size_t g = 0; g < groups.size(); ++g) {
        EXPECT_TRUE(std::is_sorted(groups[g].begin(), groups[g].end()));
        EXPECT_EQ(static_cast<int64_t>(groups[g].size()), mesh.group_size(axes));
        EXPECT_TRUE(g == 0 || groups[g - 1].front() < groups[g].front());
        for (size_t place = 0; place < groups[g].size(); ++place) {
          const int64_t rank = groups[g][place];
          group_of[static_cast<size_t>(rank)] = g;
          EXPECT_EQ(mesh.group_of(rank, axes), static_cast<int64_t>(g));
          EXPECT_EQ(mesh.place_in_group(rank, axes), static_cast<int64_t>(place));
        }
      }
      for (int64_t a = 0; a < mesh.ranks(); ++a)
        for (int64_t b = 0; b < mesh.ranks(); ++b) {
          const bool agree = std::all_of(kAllAxes.begin(), kAllAxes.end(), [&](Axis axis) {
            return axes.contains(axis) || mesh.coordinates(a)[axis] == mesh.coordinates(b)[axis];
          });
          EXPECT_EQ(group_of[static_cast<size_t>(a)] == group_of[static_cast<size_t>(b)], agree);
        }
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Mesh, TheEmbeddingIsOnTheFirstAndTheLastStage) {
  EXPECT_EQ(Mesh({.tensor = 2, .pipeline = 4}).embedding_groups(), (Groups{{0, 6}, {1, 7}}));
  EXPECT_EQ(Mesh({.tensor = 2, .pipeline = 1}).embedding_groups(), (Groups{{0}, {1}}));
  EXPECT_FALSE(Mesh({.tensor = 2, .pipeline = 4}).has_embedding(2));
}

TEST(Mesh, WhatIsNoMeshIsABug) {
  EXPECT_THROW(Mesh({.tensor = 0}), InternalError);
  EXPECT_THROW(Mesh({}, {Axis::tensor, Axis::tensor, Axis::expert, Axis::data, Axis::pipeline}), InternalError);
  EXPECT_THROW(Mesh({.tensor = 2}).coordinates(2), InternalError);
  EXPECT_THROW(Mesh({.tensor = 2}).rank_of({.data = 1}), InternalError);
}

TEST(Mesh, SetsHaveNames) {
  EXPECT_EQ(name_of(AxisSet{Axis::pipeline, Axis::tensor}), "tensor × pipeline");
  EXPECT_EQ(name_of(Axis::context), "context");
}

}  // namespace
}  // namespace longhaul::comm
