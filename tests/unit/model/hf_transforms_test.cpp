#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/stack.h>
#include <gtest/gtest.h>

#include "longhaul/model/family.h"

namespace longhaul {
namespace {

at::Tensor numbered(std::vector<int64_t> shape, int64_t first) {
  int64_t count = 1;
  for (const int64_t size : shape) count *= size;
  return at::arange(first, first + count).reshape(shape);
}

// Every block of rows, and of columns, is that part of the whole.
void expect_blocks(const HfTransform& transform, const std::vector<at::Tensor>& sources) {
  const at::Tensor merged = transform.merge(sources);
  for (int dim = 0; dim < merged.dim(); ++dim) {
    const int64_t size = merged.size(dim);
    for (int64_t begin = 0; begin < size; ++begin) {
      for (const int64_t length : {int64_t{1}, (size - begin + 1) / 2, size - begin}) {
        const Block block{.dim = dim, .begin = begin, .length = length};
        EXPECT_TRUE(at::equal(transform.merge_block(sources, block), merged.narrow(dim, begin, length)))
            << "dimension " << dim << ", " << begin << " + " << length;
      }
    }
  }
}

void expect_invertible(const HfTransform& transform, const std::vector<at::Tensor>& sources) {
  expect_blocks(transform, sources);
  const at::Tensor merged = transform.merge(sources);
  const auto shapes = transform.source_shapes(merged.sizes().vec());
  const auto back = transform.split(merged);
  ASSERT_EQ(back.size(), sources.size());
  ASSERT_EQ(shapes.size(), sources.size());
  for (size_t i = 0; i < sources.size(); ++i) {
    EXPECT_TRUE(at::equal(back[i], sources[i]));
    EXPECT_EQ(back[i].scalar_type(), sources[i].scalar_type());
    EXPECT_TRUE(back[i].is_contiguous());
    EXPECT_EQ(shapes[i], sources[i].sizes().vec());
  }
}

// a = 4, g = 2, d = 1: Q0 Q1 K0 V0 Q2 Q3 K1 V1.
TEST(HfTransforms, QkvWorkedExample) {
  const auto transform = hf::qkv(2, 2, 1);
  const at::Tensor sources[] = {numbered({4}, 0), numbered({2}, 10), numbered({2}, 20)};
  const at::Tensor expected = at::stack({sources[0][0], sources[0][1], sources[1][0], sources[2][0], sources[0][2],
                                         sources[0][3], sources[1][1], sources[2][1]});
  EXPECT_TRUE(at::equal(transform->merge(sources), expected));
}

// The flat row formulas of the specification.
TEST(HfTransforms, QkvRows) {
  const int64_t g = 3, r = 2, d = 4, h = 5;
  const at::Tensor q = numbered({g * r * d, h}, 0), k = numbered({g * d, h}, 1000), v = numbered({g * d, h}, 2000);
  const at::Tensor merged = hf::qkv(g, r, d)->merge(std::vector<at::Tensor>{q, k, v});
  ASSERT_EQ(merged.size(0), (g * r + 2 * g) * d);
  for (int64_t j = 0; j < g; ++j) {
    for (int64_t c = 0; c < d; ++c) {
      for (int64_t i = 0; i < r; ++i) {
        EXPECT_TRUE(at::equal(merged[(j * (r + 2) + i) * d + c], q[(j * r + i) * d + c]));
      }
      EXPECT_TRUE(at::equal(merged[(j * (r + 2) + r) * d + c], k[j * d + c]));
      EXPECT_TRUE(at::equal(merged[(j * (r + 2) + r + 1) * d + c], v[j * d + c]));
    }
  }
}

// Column n·d + c of the query block -> row 3·n·d + c; keys d further, values 2d further.
TEST(HfTransforms, FusedQkvRows) {
  const int64_t a = 3, d = 2, h = a * d;
  const at::Tensor weight = numbered({h, 3 * h}, 0), bias = numbered({3 * h}, 500);
  const at::Tensor rows = hf::fused_qkv(a, d, true)->merge(std::vector<at::Tensor>{weight});
  const at::Tensor flat = hf::fused_qkv(a, d, false)->merge(std::vector<at::Tensor>{bias});
  for (int64_t n = 0; n < a; ++n) {
    for (int64_t c = 0; c < d; ++c) {
      for (int64_t block = 0; block < 3; ++block) {
        const int64_t row = 3 * n * d + block * d + c, column = block * h + n * d + c;
        EXPECT_TRUE(at::equal(rows[row], weight.select(1, column)));
        EXPECT_TRUE(at::equal(flat[row], bias[column]));
      }
    }
  }
}

TEST(HfTransforms, GateComesFirst) {
  const at::Tensor gate = numbered({3, 2}, 0), up = numbered({3, 2}, 100);
  const at::Tensor merged = hf::gate_up()->merge(std::vector<at::Tensor>{gate, up});
  EXPECT_TRUE(at::equal(merged.narrow(0, 0, 3), gate));
  EXPECT_TRUE(at::equal(merged.narrow(0, 3, 3), up));
}

TEST(HfTransforms, AllAreInvertible) {
  for (const auto dtype : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const auto random = [&](std::vector<int64_t> shape) { return at::randn(shape).to(dtype); };
    expect_invertible(*hf::identity(), {random({5, 3})});
    expect_invertible(*hf::transpose(), {random({5, 3})});
    expect_invertible(*hf::transpose(), {random({4, 4})});
    expect_invertible(*hf::qkv(2, 3, 4), {random({24, 7}), random({8, 7}), random({8, 7})});
    expect_invertible(*hf::qkv(5, 1, 2), {random({10}), random({10}), random({10})});
    expect_invertible(*hf::fused_qkv(3, 2, true), {random({6, 18})});
    expect_invertible(*hf::fused_qkv(3, 2, false), {random({18})});
    expect_invertible(*hf::gate_up(), {random({5, 3}), random({5, 3})});
    expect_invertible(*hf::gate_up(), {random({5}), random({5})});
  }
}

TEST(HfTransforms, NormWeights) {
  const at::Tensor gamma = at::randn({9});
  EXPECT_TRUE(at::equal(hf::norm_weight(true, true)->merge(std::vector<at::Tensor>{gamma}), gamma));
  EXPECT_TRUE(at::equal(hf::norm_weight(true, false)->merge(std::vector<at::Tensor>{gamma}), gamma.sub(1)));
  EXPECT_TRUE(at::equal(hf::norm_weight(false, true)->merge(std::vector<at::Tensor>{gamma}), gamma.add(1)));
  EXPECT_TRUE(at::equal(hf::norm_weight(true, false)->split(gamma)[0], gamma.add(1)));
  // A half-precision gamma is widened before the subtraction, which is then exact.
  const at::Tensor half = gamma.to(at::kBFloat16);
  EXPECT_TRUE(
      at::equal(hf::norm_weight(true, false)->merge(std::vector<at::Tensor>{half}), half.to(at::kFloat).sub(1)));
}

}  // namespace
}  // namespace longhaul
