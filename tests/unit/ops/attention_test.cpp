#include "longhaul/ops/attention.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "longhaul/core/error.h"
#include "ops/attention_apart.h"
#include "ops/attention_cpu.h"
#include "ops/gemm_avx512.h"
#include "unit/ops/attention_generic.h"
#include "unit/ops/finite_difference.h"

namespace longhaul::ops {
namespace {

using test::finite_difference;
using test::relative_error;
using test::rms_error;

struct Case {
  int64_t heads, kv_heads, head_dim, rotary_dim;
  std::vector<int32_t> cu_seqlens;
  bool own_positions = false;
};

AttentionOptions options_of(const Case& c) {
  AttentionOptions options;
  options.heads = c.heads;
  options.kv_heads = c.kv_heads;
  options.head_dim = c.head_dim;
  options.scale = 1 / std::sqrt(static_cast<double>(c.head_dim));
  options.cu_seqlens = c.cu_seqlens;
  if (c.rotary_dim > 0) options.rope = make_rope_table(rope_inverse_frequencies(c.rotary_dim, 1e4), 1200);
  if (c.own_positions) options.positions = at::randint(1200, {c.cu_seqlens.back()}, at::kLong);
  return options;
}

at::Tensor random_qkv(const Case& c) {
  return at::randn({c.cu_seqlens.back(), (c.heads + 2 * c.kv_heads) * c.head_dim}, at::kDouble);
}

// Attention by the definition, element by element, in double.
at::Tensor by_definition(const at::Tensor& qkv, const Case& c, const AttentionOptions& options) {
  const int64_t tokens = qkv.size(0), r = c.heads / c.kv_heads, d = c.head_dim, half = c.rotary_dim / 2;
  const at::Tensor x = qkv.view({tokens, c.kv_heads, r + 2, d}).clone();
  auto a = x.accessor<double, 4>();
  at::Tensor out = at::zeros({tokens, c.heads * d}, at::kDouble);
  auto o = out.accessor<double, 2>();
  for (size_t doc = 0; doc + 1 < c.cu_seqlens.size(); ++doc) {
    const int64_t begin = c.cu_seqlens[doc], end = c.cu_seqlens[doc + 1];
    for (int64_t t = begin; t < end; ++t) {
      const int64_t p = options.positions.defined() ? options.positions[t].item<int64_t>() : t - begin;
      for (int64_t g = 0; g < c.kv_heads; ++g) {
        for (int64_t s = 0; s <= r; ++s) {
          for (int64_t i = 0; i < half; ++i) {
            const double cos = options.rope.cos[p][i].item<double>(), sin = options.rope.sin[p][i].item<double>();
            const double u = a[t][g][s][i], v = a[t][g][s][i + half];
            a[t][g][s][i] = u * cos - v * sin;
            a[t][g][s][i + half] = v * cos + u * sin;
          }
        }
      }
    }
    for (int64_t h = 0; h < c.heads; ++h) {
      const int64_t g = h / r, s = h % r;
      for (int64_t q = begin; q < end; ++q) {
        std::vector<double> p;
        for (int64_t k = begin; k <= q; ++k) {
          double dot = 0;
          for (int64_t i = 0; i < d; ++i) dot += a[q][g][s][i] * a[k][g][r][i];
          p.push_back(dot * options.scale);
        }
        const double top = *std::max_element(p.begin(), p.end());
        double sum = 0;
        for (double& value : p) sum += value = std::exp(value - top);
        for (int64_t k = begin; k <= q; ++k) {
          for (int64_t i = 0; i < d; ++i) o[q][h * d + i] += p[k - begin] / sum * a[k][g][r + 1][i];
        }
      }
    }
  }
  return out;
}

TEST(AttentionDefinition, every_path_follows_it) {
  at::manual_seed(5);
  for (const Case& c : {Case{4, 2, 8, 8, {0, 5, 5, 12}}, Case{3, 1, 10, 4, {0, 9}, true}, Case{2, 2, 6, 0, {0, 1, 4}},
                        Case{4, 2, 8, 8, {0, 0, 1, 2, 2, 3}}}) {
    const at::Tensor qkv = random_qkv(c);
    const AttentionOptions options = options_of(c);
    const at::Tensor expected = by_definition(qkv, c, options);
    EXPECT_LT(relative_error(attention_generic(qkv, options), expected), 1e-13);
    EXPECT_LT(relative_error(attention(qkv, options), expected), 1e-13);
    EXPECT_LT(relative_error(attention(qkv.to(at::kFloat), options), expected), 2e-6);
    EXPECT_LT(rms_error(attention(qkv.to(at::kBFloat16), options), expected), 1e-2);
  }
}

TEST(AttentionGradient, finite_differences_in_double) {
  at::manual_seed(6);
  const Case c{4, 2, 4, 2, {0, 3, 7}};
  const at::Tensor qkv = random_qkv(c), direction = at::randn({7, 16}, at::kDouble);
  const AttentionOptions options = options_of(c);
  const auto loss = [&] { return (attention(qkv, options) * direction).sum().item<double>(); };
  const at::Tensor expected = finite_difference(qkv, loss);
  qkv.requires_grad_();
  (attention(qkv, options) * direction).sum().backward();
  EXPECT_LT(relative_error(qkv.grad(), expected), 1e-8);
}

// Every kernel that this machine can run; the last is the one that attention() takes.
std::vector<AttentionKernel> kernels() {
  std::vector<AttentionKernel> all;
  if (avx2::supported()) all.push_back(avx2::attention_kernel());
  if (avx512::supported(false)) all.push_back(avx512::attention_kernel(false));
  if (avx512::supported(true)) all.push_back(avx512::attention_kernel(true));
  return all;
}

// Every way to attention on a CPU: the kernels, and the composition for what has none.
std::vector<std::function<at::Tensor(const at::Tensor&, const AttentionOptions&)>> ways() {
  std::vector<std::function<at::Tensor(const at::Tensor&, const AttentionOptions&)>> all;
  for (const AttentionKernel& kernel : kernels()) {
    all.emplace_back([kernel](const at::Tensor& qkv, const AttentionOptions& options) {
      return attention_cpu(qkv, options, kernel);
    });
  }
  all.emplace_back(
      [](const at::Tensor& qkv, const AttentionOptions& options) { return attention_apart(qkv, options); });
  return all;
}

class Attention : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override { at::manual_seed(9); }

  // Forward and backward against the composition in double on the same (rounded) inputs.
  void check(at::ScalarType type, const AttentionOptions& options, double tolerance, bool rms) {
    const at::Tensor x = random_qkv(GetParam()).to(type);
    const at::Tensor exact = x.to(at::kDouble).requires_grad_();
    const at::Tensor expected = attention_generic(exact, options);
    const at::Tensor dout = at::randn_like(expected).to(type);
    expected.backward(dout.to(at::kDouble));
    const auto error = rms ? rms_error : relative_error;
    const int64_t per_group = GetParam().heads / GetParam().kv_heads;
    const auto part = [&](const at::Tensor& t, int64_t first, int64_t count) {
      return t.view({t.size(0), GetParam().kv_heads, per_group + 2, -1}).narrow(2, first, count);
    };
    // dq and dk are differences of terms as large as dv; of one key they are all rounding.
    const auto part_error = [&](const at::Tensor& gradient, int64_t first, int64_t count) {
      const at::Tensor a = part(gradient, first, count).to(at::kDouble), e = part(exact.grad(), first, count);
      const at::Tensor size = e.norm().max(part(exact.grad(), per_group + 1, 1).norm() * 0.3);
      return rms ? ((a - e).norm() / size).item<double>()
                 : ((a - e).abs().max() / e.abs().max().max(size / 8)).item<double>();
    };
    for (const auto& way : ways()) {
      const at::Tensor qkv = x.clone().requires_grad_();
      const at::Tensor out = way(qkv, options);
      out.backward(dout);
      EXPECT_EQ(out.scalar_type(), type);
      EXPECT_LT(error(out, expected), tolerance);
      EXPECT_LT(part_error(qkv.grad(), 0, per_group), tolerance) << "dq";
      EXPECT_LT(part_error(qkv.grad(), per_group, 1), tolerance) << "dk";
      EXPECT_LT(part_error(qkv.grad(), per_group + 1, 1), tolerance) << "dv";
      EXPECT_TRUE(at::equal(x, qkv.detach())) << "the input was written to";
    }
  }
};

TEST_P(Attention, fp32) {
  check(at::kFloat, options_of(GetParam()), 1e-5, false);
}
TEST_P(Attention, bf16) {
  check(at::kBFloat16, options_of(GetParam()), 1e-2, true);
}
TEST_P(Attention, dropout) {
  AttentionOptions options = options_of(GetParam());
  options.dropout = 0.25;
  options.dropout_key = {42, "layers.1.attention", dropout_place(3, 1001)};
  check(at::kFloat, options, 1e-5, false);
  check(at::kBFloat16, options, 1e-2, true);
}

TEST_P(Attention, one_and_two_threads_agree_to_the_bit) {
  const int threads = at::get_num_threads();
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor x = random_qkv(GetParam()).to(type);
    const AttentionOptions options = options_of(GetParam());
    const at::Tensor dout = at::randn({x.size(0), GetParam().heads * GetParam().head_dim}).to(type);
    for (const AttentionKernel& kernel : kernels()) {
      std::vector<at::Tensor> seen;
      for (const int n : {1, 2}) {
        at::set_num_threads(n);
        const at::Tensor qkv = x.clone().requires_grad_();
        const at::Tensor out = attention_cpu(qkv, options, kernel);
        out.backward(dout);
        seen.insert(seen.end(), {out, qkv.grad()});
      }
      at::set_num_threads(threads);
      EXPECT_TRUE(at::equal(seen[0], seen[2]));
      EXPECT_TRUE(at::equal(seen[1], seen[3]));
    }
  }
}

TEST_P(Attention, without_tracking_gives_the_same) {
  const at::Tensor x = random_qkv(GetParam()).to(at::kFloat);
  const AttentionOptions options = options_of(GetParam());
  EXPECT_TRUE(at::equal(attention(x, options), attention(x.clone().requires_grad_(), options)));
}

INSTANTIATE_TEST_SUITE_P(Shapes, Attention,
                         testing::Values(Case{1, 1, 2, 0, {0, 1}}, Case{1, 1, 16, 16, {0, 1}},
                                         Case{2, 2, 16, 16, {0, 33}}, Case{4, 2, 64, 64, {0, 64, 128}},
                                         Case{8, 4, 64, 64, {0, 130, 131, 300}}, Case{4, 1, 128, 64, {0, 97}},
                                         Case{3, 3, 80, 40, {0, 70, 71, 72, 150}},
                                         Case{6, 2, 18, 6, {0, 31, 32, 100}, true}, Case{2, 1, 64, 64, {0, 517}},
                                         Case{2, 2, 128, 128, {0, 256}}, Case{16, 2, 64, 32, {0, 20, 40, 41}},
                                         Case{2, 1, 256, 256, {0, 75}}, Case{2, 1, 64, 64, {0, 0, 50, 50}}));

TEST(AttentionBlocks, a_document_of_several_blocks) {
  at::manual_seed(2);
  const Case c{8, 4, 8, 8, {0, 1100, 1200, 2900}};  // 64 MiB of scores hold 1233 queries of the last one
  AttentionOptions options = options_of(c);
  options.rope = make_rope_table(rope_inverse_frequencies(8, 1e4), 1700);
  const at::Tensor x = random_qkv(c), dout = at::randn({2900, 64}, at::kDouble);
  const auto run = [&](const auto& attend) {
    const at::Tensor qkv = x.clone().requires_grad_();
    const at::Tensor out = attend(qkv, options);
    out.backward(dout);
    return std::pair(out.detach(), qkv.grad());
  };
  const auto blocks = run([](const at::Tensor& qkv, const AttentionOptions& o) { return attention_apart(qkv, o); });
  const auto whole = run(attention_generic);
  EXPECT_LT(relative_error(blocks.first, whole.first), 1e-12);
  EXPECT_LT(relative_error(blocks.second, whole.second), 1e-12);
}

TEST(AttentionEdges, positions_beyond_the_table_are_refused) {
  const Case c{2, 1, 16, 16, {0, 4}};
  AttentionOptions options = options_of(c);
  options.positions = at::tensor({0, 1, 1200, 3}, at::kLong);
  EXPECT_THROW(attention(random_qkv(c).to(at::kFloat), options), InternalError);
}

TEST(AttentionEdges, what_the_fused_kernels_take) {
  const auto take = [](const Case& c, at::ScalarType type = at::kBFloat16, double dropout = 0) {
    AttentionOptions options = options_of(c);
    options.dropout = dropout;
    Documents documents{c.cu_seqlens, {}};
    for (size_t d = 0; d + 1 < c.cu_seqlens.size(); ++d)
      documents.longest = std::max<int64_t>(documents.longest, c.cu_seqlens[d + 1] - c.cu_seqlens[d]);
    return fused_cores_take(type, options, documents);
  };
  EXPECT_TRUE(take({4, 2, 64, 64, {0, 70, 70, 71}}));
  EXPECT_TRUE(take({4, 2, 256, 64, {0, 2}}));
  EXPECT_FALSE(take({4, 2, 64, 64, {0, 70}}, at::kFloat));
  EXPECT_FALSE(take({4, 2, 64, 64, {0, 70}}, at::kBFloat16, 0.1));
  EXPECT_FALSE(take({4, 2, 68, 64, {0, 70}}));
  EXPECT_FALSE(take({4, 2, 264, 64, {0, 70}}));
  EXPECT_FALSE(take({4, 2, 64, 64, {0, 0, 1, 2, 2, 3}}));
  EXPECT_FALSE(take({4, 2, 64, 64, {0, 1}}));
}

TEST(AttentionEdges, no_tokens) {
  const Case c{2, 1, 16, 16, {0}};
  const at::Tensor qkv = at::empty({0, 64}).requires_grad_();
  const at::Tensor out = attention(qkv, options_of(c));
  EXPECT_EQ(out.sizes(), (std::vector<int64_t>{0, 32}));
  out.sum().backward();
}

// A mask depends on the global token number: the same tokens, cut off the front, draw the same masks.
TEST(AttentionDropout, is_a_function_of_global_positions) {
  at::manual_seed(1);
  const Case c{2, 1, 16, 0, {0, 10, 30}};
  AttentionOptions options = options_of(c);
  options.dropout = 0.5;
  options.dropout_key = {7, "site", dropout_place(5, 100)};
  const at::Tensor qkv = random_qkv(c).to(at::kFloat);
  const at::Tensor whole = attention(qkv, options);
  options.cu_seqlens = {0, 20};
  options.dropout_key.first_token = 10;
  EXPECT_LT(relative_error(attention(qkv.narrow(0, 10, 20).contiguous(), options), whole.narrow(0, 10, 20)), 1e-6);
  options.dropout_key.place = dropout_place(6, 100);
  EXPECT_GT(relative_error(attention(qkv.narrow(0, 10, 20).contiguous(), options), whole.narrow(0, 10, 20)), 1e-2);
}

}  // namespace
}  // namespace longhaul::ops
