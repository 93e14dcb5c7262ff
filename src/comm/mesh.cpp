#include "longhaul/comm/mesh.h"

#include <algorithm>

#include "longhaul/core/error.h"

namespace longhaul::comm {
namespace {

// The members, in the order of Axis.
template <typename Struct>
constexpr std::array<int64_t Struct::*, kAllAxes.size()> kMembers = {&Struct::tensor, &Struct::context, &Struct::expert,
                                                                     &Struct::data, &Struct::pipeline};

template <typename Struct>
auto& member(Struct& values, Axis axis) {
  return values.*kMembers<std::remove_const_t<Struct>>[static_cast<size_t>(axis)];
}

}  // namespace

std::string_view name_of(Axis axis) {
  constexpr std::string_view kNames[] = {"tensor", "context", "expert", "data", "pipeline"};
  return kNames[static_cast<size_t>(axis)];
}

std::string name_of(AxisSet axes) {
  std::string name;
  for (const Axis axis : kAllAxes)
    if (axes.contains(axis)) name += fmt::format("{}{}", name.empty() ? "" : " × ", name_of(axis));
  return name;
}

int64_t MeshShape::operator[](Axis axis) const {
  return member(*this, axis);
}
int64_t MeshCoordinates::operator[](Axis axis) const {
  return member(*this, axis);
}
int64_t& MeshCoordinates::operator[](Axis axis) {
  return member(*this, axis);
}

Mesh::Mesh(const MeshShape& shape, const AxisOrder& order) : shape_(shape), order_(order) {
  for (const Axis axis : kAllAxes) {
    LONGHAUL_CHECK(shape[axis] >= 1, "{} has size {}", name_of(axis), shape[axis]);
    LONGHAUL_CHECK(std::find(order.begin(), order.end(), axis) != order.end(), "the order lacks {}", name_of(axis));
  }
}

MeshCoordinates Mesh::coordinates(int64_t rank) const {
  LONGHAUL_CHECK(rank >= 0 && rank < ranks(), "rank {} of {}", rank, ranks());
  MeshCoordinates at;
  for (const Axis axis : order_) {
    at[axis] = rank % shape_[axis];
    rank /= shape_[axis];
  }
  return at;
}

int64_t Mesh::rank_of(const MeshCoordinates& at) const {
  int64_t rank = 0, stride = 1;
  for (const Axis axis : order_) {
    LONGHAUL_CHECK(at[axis] >= 0 && at[axis] < shape_[axis], "{} {} of {}", name_of(axis), at[axis], shape_[axis]);
    rank += at[axis] * stride;
    stride *= shape_[axis];
  }
  return rank;
}

int64_t Mesh::index(int64_t rank, AxisSet axes, bool inside) const {
  const MeshCoordinates at = coordinates(rank);
  int64_t index = 0, stride = 1;
  for (const Axis axis : order_) {
    if (axes.contains(axis) != inside) continue;
    index += at[axis] * stride;
    stride *= shape_[axis];
  }
  return index;
}

int64_t Mesh::group_of(int64_t rank, AxisSet axes) const {
  return index(rank, axes, false);
}
int64_t Mesh::place_in_group(int64_t rank, AxisSet axes) const {
  return index(rank, axes, true);
}

int64_t Mesh::group_size(AxisSet axes) const {
  int64_t size = 1;
  for (const Axis axis : kAllAxes)
    if (axes.contains(axis)) size *= shape_[axis];
  return size;
}

std::vector<std::vector<int64_t>> Mesh::groups(AxisSet axes) const {
  std::vector<std::vector<int64_t>> groups(static_cast<size_t>(ranks() / group_size(axes)));
  for (int64_t rank = 0; rank < ranks(); ++rank) groups[static_cast<size_t>(group_of(rank, axes))].push_back(rank);
  return groups;
}

bool Mesh::has_embedding(int64_t rank) const {
  const int64_t stage = coordinates(rank).pipeline;
  return stage == 0 || stage == shape_.pipeline - 1;
}

std::vector<std::vector<int64_t>> Mesh::embedding_groups() const {
  auto result = groups({Axis::pipeline});
  for (auto& group : result) std::erase_if(group, [this](int64_t rank) { return !has_embedding(rank); });
  return result;
}

}  // namespace longhaul::comm
