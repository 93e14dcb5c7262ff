// The layout changes between Hugging Face's tensors and ours. Fused attention weights are, for each key/value
// group, the rows of its query heads, then its key's, then its value's: any tensor-parallel rank then owns
// whole groups in one block of rows.
#include <ATen/ops/cat.h>

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "longhaul/core/error.h"
#include "longhaul/model/family.h"

namespace longhaul {
namespace hf {
namespace {

using Shape = std::vector<int64_t>;

Shape with_rows(Shape shape, int64_t rows) {
  shape[0] = rows;
  return shape;
}

// [rows, rest…] -> [first, second, rest…]
at::Tensor split_rows(const at::Tensor& tensor, int64_t groups, int64_t rows) {
  Shape shape = tensor.sizes().vec();
  shape[0] = rows;
  shape.insert(shape.begin(), groups);
  return tensor.reshape(shape);
}

at::Tensor part_of(const at::Tensor& tensor, const Block& block) {
  return tensor.narrow(block.dim, block.begin, block.length);
}

// Rows that lie one after another in a merged tensor: where they come from.
struct Piece {
  at::Tensor source;
  int64_t begin, rows;
};

// `block` of the tensor that the pieces make up; blocks along other dimensions take their part of every piece.
at::Tensor part_of(const std::vector<Piece>& pieces, const Block& block) {
  std::vector<at::Tensor> parts;
  int64_t at = 0;
  for (const Piece& piece : pieces) {
    if (block.dim != 0) {
      parts.push_back(part_of(piece.source.narrow(0, piece.begin, piece.rows), block));
      continue;
    }
    const int64_t begin = std::max(block.begin, at), end = std::min(block.begin + block.length, at + piece.rows);
    if (begin < end) parts.push_back(piece.source.narrow(0, piece.begin + begin - at, end - begin));
    at += piece.rows;
  }
  return at::cat(parts, 0);
}

// [first, second, rest…] -> [first · second, rest…], contiguous
at::Tensor join_rows(const at::Tensor& tensor) {
  return tensor.flatten(0, 1).contiguous();
}

class Identity final : public HfTransform {
 public:
  std::vector<Shape> source_shapes(const Shape& ours) const override { return {ours}; }
  at::Tensor merge(std::span<const at::Tensor> sources) const override { return sources[0]; }
  at::Tensor merge_block(std::span<const at::Tensor> sources, const Block& block) const override {
    return part_of(sources[0], block);
  }
  std::vector<at::Tensor> split(const at::Tensor& ours) const override { return {ours}; }
};

class Transpose final : public HfTransform {
 public:
  std::vector<Shape> source_shapes(const Shape& ours) const override { return {{ours[1], ours[0]}}; }
  at::Tensor merge(std::span<const at::Tensor> sources) const override { return sources[0].t().contiguous(); }
  at::Tensor merge_block(std::span<const at::Tensor> sources, const Block& block) const override {
    return part_of(sources[0].t(), block);
  }
  std::vector<at::Tensor> split(const at::Tensor& ours) const override { return {ours.t().contiguous()}; }
};

class Qkv final : public HfTransform {
 public:
  Qkv(int64_t groups, int64_t heads_per_group, int64_t head_dim)
      : groups_(groups), query_rows_(heads_per_group * head_dim), head_dim_(head_dim) {}

  std::vector<Shape> source_shapes(const Shape& ours) const override {
    return {with_rows(ours, groups_ * query_rows_), with_rows(ours, groups_ * head_dim_),
            with_rows(ours, groups_ * head_dim_)};
  }

  at::Tensor merge(std::span<const at::Tensor> sources) const override {
    return join_rows(at::cat({split_rows(sources[0], groups_, query_rows_), split_rows(sources[1], groups_, head_dim_),
                              split_rows(sources[2], groups_, head_dim_)},
                             1));
  }

  at::Tensor merge_block(std::span<const at::Tensor> sources, const Block& block) const override {
    std::vector<Piece> pieces;
    for (int64_t group = 0; group < groups_; ++group) {
      pieces.push_back({sources[0], group * query_rows_, query_rows_});
      pieces.push_back({sources[1], group * head_dim_, head_dim_});
      pieces.push_back({sources[2], group * head_dim_, head_dim_});
    }
    return part_of(pieces, block);
  }

  std::vector<at::Tensor> split(const at::Tensor& ours) const override {
    const at::Tensor grouped = split_rows(ours, groups_, query_rows_ + 2 * head_dim_);
    return {join_rows(grouped.narrow(1, 0, query_rows_)), join_rows(grouped.narrow(1, query_rows_, head_dim_)),
            join_rows(grouped.narrow(1, query_rows_ + head_dim_, head_dim_))};
  }

 private:
  int64_t groups_, query_rows_, head_dim_;
};

// One tensor with all queries, then all keys, then all values; as a Conv1D weight, transposed.
class FusedQkv final : public HfTransform {
 public:
  FusedQkv(int64_t heads, int64_t head_dim, bool transposed)
      : width_(heads * head_dim), transposed_(transposed), qkv_(heads, 1, head_dim) {}

  std::vector<Shape> source_shapes(const Shape& ours) const override {
    return {transposed_ ? Shape{ours[1], ours[0]} : ours};
  }

  at::Tensor merge(std::span<const at::Tensor> sources) const override { return qkv_.merge(parts(sources[0])); }
  at::Tensor merge_block(std::span<const at::Tensor> sources, const Block& block) const override {
    return qkv_.merge_block(parts(sources[0]), block);
  }

  std::vector<at::Tensor> split(const at::Tensor& ours) const override {
    const at::Tensor rows = at::cat(qkv_.split(ours), 0);
    return {transposed_ ? rows.t().contiguous() : rows};
  }

 private:
  // Queries, keys, values.
  std::array<at::Tensor, 3> parts(const at::Tensor& source) const {
    const at::Tensor rows = transposed_ ? source.t() : source;
    return {rows.narrow(0, 0, width_), rows.narrow(0, width_, width_), rows.narrow(0, 2 * width_, width_)};
  }

  int64_t width_;
  bool transposed_;
  Qkv qkv_;
};

class GateUp final : public HfTransform {
 public:
  std::vector<Shape> source_shapes(const Shape& ours) const override {
    return {with_rows(ours, ours[0] / 2), with_rows(ours, ours[0] / 2)};
  }
  at::Tensor merge(std::span<const at::Tensor> sources) const override { return at::cat({sources[0], sources[1]}, 0); }
  at::Tensor merge_block(std::span<const at::Tensor> sources, const Block& block) const override {
    return part_of({{sources[0], 0, sources[0].size(0)}, {sources[1], 0, sources[1].size(0)}}, block);
  }
  std::vector<at::Tensor> split(const at::Tensor& ours) const override {
    const int64_t half = ours.size(0) / 2;
    return {ours.narrow(0, 0, half).contiguous(), ours.narrow(0, half, half).contiguous()};
  }
};

class Offset final : public HfTransform {
 public:
  explicit Offset(double amount) : amount_(amount) {}
  std::vector<Shape> source_shapes(const Shape& ours) const override { return {ours}; }
  at::Tensor merge(std::span<const at::Tensor> sources) const override { return wide(sources[0]).add(amount_); }
  at::Tensor merge_block(std::span<const at::Tensor> sources, const Block& block) const override {
    return wide(part_of(sources[0], block)).add(amount_);
  }
  std::vector<at::Tensor> split(const at::Tensor& ours) const override { return {wide(ours).sub(amount_)}; }

 private:
  // At least FP32, so that the sum is rounded once, when the result is cast.
  static at::Tensor wide(const at::Tensor& tensor) {
    return tensor.scalar_type() == at::kDouble ? tensor : tensor.to(at::kFloat);
  }
  double amount_;
};

}  // namespace
}  // namespace hf

at::Tensor HfTransform::merge_block(std::span<const at::Tensor> sources, const Block& block) const {
  return merge(sources).narrow(block.dim, block.begin, block.length);
}

namespace hf {

std::shared_ptr<const HfTransform> identity() {
  return std::make_shared<Identity>();
}
std::shared_ptr<const HfTransform> transpose() {
  return std::make_shared<Transpose>();
}
std::shared_ptr<const HfTransform> qkv(int64_t groups, int64_t heads_per_group, int64_t head_dim) {
  return std::make_shared<Qkv>(groups, heads_per_group, head_dim);
}
std::shared_ptr<const HfTransform> fused_qkv(int64_t heads, int64_t head_dim, bool transposed) {
  return std::make_shared<FusedQkv>(heads, head_dim, transposed);
}
std::shared_ptr<const HfTransform> gate_up() {
  return std::make_shared<GateUp>();
}
std::shared_ptr<const HfTransform> norm_weight(bool ours_zero_centered, bool theirs_zero_centered) {
  if (ours_zero_centered == theirs_zero_centered) return identity();
  return std::make_shared<Offset>(ours_zero_centered ? -1.0 : 1.0);
}

}  // namespace hf
}  // namespace longhaul
