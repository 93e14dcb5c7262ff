// How the ranks of a run stand to each other. Each rank is a point in a grid of five axes; ranks that differ
// along some axes only form a group along these. Pure arithmetic: any rank can work out any other's place.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::comm {

enum class Axis { tensor, context, expert, data, pipeline };
inline constexpr std::array kAllAxes = {Axis::tensor, Axis::context, Axis::expert, Axis::data, Axis::pipeline};

// "tensor"
std::string_view name_of(Axis axis);

struct MeshShape {
  int64_t tensor = 1;
  int64_t context = 1;
  int64_t expert = 1;
  int64_t data = 1;
  int64_t pipeline = 1;
  int64_t operator[](Axis axis) const;
  int64_t ranks() const { return tensor * context * expert * data * pipeline; }
  bool operator==(const MeshShape&) const = default;
};

// A rank's place: each between 0 and the shape's size, exclusive.
struct MeshCoordinates {
  int64_t tensor = 0;
  int64_t context = 0;
  int64_t expert = 0;
  int64_t data = 0;
  int64_t pipeline = 0;
  int64_t operator[](Axis axis) const;
  int64_t& operator[](Axis axis);
  bool operator==(const MeshCoordinates&) const = default;
};

// From the axis along which neighbouring ranks differ to the one with the longest strides.
using AxisOrder = std::array<Axis, kAllAxes.size()>;
// Megatron's "tp-cp-ep-dp-pp": tensor-parallel ranks, which talk most, are neighbours.
inline constexpr AxisOrder kMegatronOrder = kAllAxes;

class AxisSet {
 public:
  constexpr AxisSet(std::initializer_list<Axis> axes) {
    for (const Axis axis : axes) bits_ |= 1U << static_cast<unsigned>(axis);
  }
  constexpr AxisSet operator|(Axis axis) const {
    AxisSet more = *this;
    more.bits_ |= 1U << static_cast<unsigned>(axis);
    return more;
  }
  constexpr bool contains(Axis axis) const { return (bits_ >> static_cast<unsigned>(axis) & 1U) != 0; }
  constexpr auto operator<=>(const AxisSet&) const = default;

 private:
  unsigned bits_ = 0;
};

// "tensor × pipeline"
std::string name_of(AxisSet axes);

class Mesh {
 public:
  // Throws InternalError for sizes below 1 and an order that lacks an axis.
  explicit Mesh(const MeshShape& shape, const AxisOrder& order = kMegatronOrder);

  const MeshShape& shape() const { return shape_; }
  const AxisOrder& order() const { return order_; }
  int64_t ranks() const { return shape_.ranks(); }

  MeshCoordinates coordinates(int64_t rank) const;
  int64_t rank_of(const MeshCoordinates& at) const;

  // The groups along `axes`: ranks in ascending order, groups by their first rank. Together they hold each
  // rank once.
  std::vector<std::vector<int64_t>> groups(AxisSet axes) const;
  // Which of them the rank is in, and its place there.
  int64_t group_of(int64_t rank, AxisSet axes) const;
  int64_t place_in_group(int64_t rank, AxisSet axes) const;
  int64_t group_size(AxisSet axes) const;

  // Ranks of the first and of the last pipeline stage that agree in all else, which both hold a tied
  // embedding. A rank of one stage is alone; ranks of stages between are in no group.
  std::vector<std::vector<int64_t>> embedding_groups() const;
  bool has_embedding(int64_t rank) const;

 private:
  // The rank's index among all points of a grid with only the axes that are in `axes`, or only the others.
  int64_t index(int64_t rank, AxisSet axes, bool inside) const;

  MeshShape shape_;
  AxisOrder order_;
};

}  // namespace longhaul::comm
