// The layout changes between Hugging Face's tensors and ours. Fused attention weights are, for each key/value
// group, the rows of its query heads, then its key's, then its value's: any tensor-parallel rank then owns
// whole groups in one block of rows.
#include <ATen/ops/cat.h>

#include <memory>
#include <utility>

#include "longhaul/core/error.h"
#include "longhaul/model/family.h"

namespace longhaul::hf {
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

// [first, second, rest…] -> [first · second, rest…], contiguous
at::Tensor join_rows(const at::Tensor& tensor) {
  return tensor.flatten(0, 1).contiguous();
}

class Identity final : public HfTransform {
 public:
  std::vector<Shape> source_shapes(const Shape& ours) const override { return {ours}; }
  at::Tensor merge(std::span<const at::Tensor> sources) const override { return sources[0]; }
  std::vector<at::Tensor> split(const at::Tensor& ours) const override { return {ours}; }
};

class Transpose final : public HfTransform {
 public:
  std::vector<Shape> source_shapes(const Shape& ours) const override { return {{ours[1], ours[0]}}; }
  at::Tensor merge(std::span<const at::Tensor> sources) const override { return sources[0].t().contiguous(); }
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
    return join_rows(
        at::cat({split_rows(sources[0], groups_, query_rows_), split_rows(sources[1], groups_, head_dim_),
                 split_rows(sources[2], groups_, head_dim_)},
                1));
  }

  std::vector<at::Tensor> split(const at::Tensor& ours) const override {
    const at::Tensor grouped = split_rows(ours, groups_, query_rows_ + 2 * head_dim_);
    return {join_rows(grouped.narrow(1, 0, query_rows_)),
            join_rows(grouped.narrow(1, query_rows_, head_dim_)),
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

  at::Tensor merge(std::span<const at::Tensor> sources) const override {
    const at::Tensor rows = transposed_ ? sources[0].t() : sources[0];
    const at::Tensor parts[] = {rows.narrow(0, 0, width_), rows.narrow(0, width_, width_),
                                rows.narrow(0, 2 * width_, width_)};
    return qkv_.merge(parts);
  }

  std::vector<at::Tensor> split(const at::Tensor& ours) const override {
    const at::Tensor rows = at::cat(qkv_.split(ours), 0);
    return {transposed_ ? rows.t().contiguous() : rows};
  }

 private:
  int64_t width_;
  bool transposed_;
  Qkv qkv_;
};

class GateUp final : public HfTransform {
 public:
  std::vector<Shape> source_shapes(const Shape& ours) const override {
    return {with_rows(ours, ours[0] / 2), with_rows(ours, ours[0] / 2)};
  }
  at::Tensor merge(std::span<const at::Tensor> sources) const override {
    return at::cat({sources[0], sources[1]}, 0);
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
  at::Tensor merge(std::span<const at::Tensor> sources) const override {
    return wide(sources[0]).add(amount_);
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

}  // namespace longhaul::hf
