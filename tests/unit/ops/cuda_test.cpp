// The CUDA kernels against the CPU's, operator by operator; skipped where there is no GPU.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <functional>

#include "longhaul/core/error.h"
#include "longhaul/ops/activation.h"
#include "longhaul/ops/adamw.h"
#include "longhaul/ops/attention.h"
#include "longhaul/ops/device.h"
#include "longhaul/ops/dropout.h"
#include "longhaul/ops/embedding.h"
#include "longhaul/ops/linear_cross_entropy.h"
#include "longhaul/ops/linear_gelu.h"
#include "longhaul/ops/norm.h"
#include "ops/attention_apart.h"
#include "ops/gemm.h"
#include "unit/ops/gradcheck.h"

namespace longhaul::ops {
namespace {

// LibTorch's CUDA half, before the first backward of this process: autograd counts devices then.
class LoadsCuda final : public testing::Environment {
  void SetUp() override { (void)cuda_problem(); }
};
const auto* const loads_cuda = testing::AddGlobalTestEnvironment(new LoadsCuda);  // NOLINT: GoogleTest deletes it

// FlashAttention's backward repeats itself only when asked to.
struct Deterministic {
  Deterministic() {
    at::globalContext().setDeterministicAlgorithms(true, false);
    at::globalContext().setDeterministicFillUninitializedMemory(false);
  }
  ~Deterministic() { at::globalContext().setDeterministicAlgorithms(false, false); }
};

class CudaParity : public testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    if (!cuda_problem().empty()) GTEST_SKIP() << cuda_problem();
  }

  // Outputs and gradients of `function` of the inputs, on the CPU and on CUDA; twice there, to see that it
  // repeats.
  void compare(const std::function<Tensors(const Tensors&)>& function, const Tensors& inputs, double looser = 1) {
    const auto run = [&](at::DeviceType device) {
      Tensors leaves;
      for (const at::Tensor& x : inputs) leaves.push_back(leaf(x.to(device)));
      Tensors outputs = function(leaves), gradients;
      for (const at::Tensor& y : outputs) {
        gradients.push_back(random_tensor(y.sizes(), 77 + gradients.size(), y.scalar_type()).to(device));
      }
      for (const at::Tensor& g : gradients_of(outputs, gradients, leaves)) outputs.push_back(g);
      for (at::Tensor& x : outputs) x = x.detach().cpu();
      return outputs;
    };
    const Tensors cpu = run(at::kCPU), cuda = run(at::kCUDA), again = run(at::kCUDA);
    const double tolerance = looser * (GetParam() == at::kDouble ? 1e-11 : GetParam() == at::kFloat ? 3e-5 : 0x1p-7);
    for (size_t i = 0; i < cpu.size(); ++i) {
      EXPECT_LT(max_error(cuda[i], cpu[i]), tolerance) << "result " << i;
      EXPECT_TRUE(bit_equal(cuda[i], again[i])) << "result " << i;
    }
  }

  at::Tensor input(at::IntArrayRef sizes, uint64_t seed) { return random_tensor(sizes, seed, GetParam()); }
};

TEST_P(CudaParity, Norm) {
  for (const NormOptions& options : {NormOptions{false, 1e-5, false}, NormOptions{true, 1e-5, true}}) {
    for (int64_t hidden : {3, 17, 128, 512, 513, 4096, 13000}) {
      for (int64_t tokens : {1, 5, 1000}) {
        if (hidden > 4096 && tokens > 5) continue;
        SCOPED_TRACE(testing::Message() << options.layer_norm << " " << tokens << "x" << hidden);
        const auto bias = [&](const Tensors& in) { return options.layer_norm ? Weight{in[3]} : Weight{}; };
        Tensors inputs = {input({tokens, hidden}, 1), input({tokens, hidden}, 2), input({hidden}, 3)};
        if (options.layer_norm) inputs.push_back(input({hidden}, 4));
        // Each operator alone: a leaf's two BF16 gradients would be rounded once more where they are added.
        compare(
            [&](const Tensors& in) -> Tensors {
              const auto [sum, y] = residual_norm(in[0], in[1], {in[2]}, bias(in), options);
              return {sum, y};
            },
            inputs);
        inputs.erase(inputs.begin() + 1);
        compare(
            [&](const Tensors& in) -> Tensors {
              return {norm(in[0], {in[1]}, options.layer_norm ? Weight{in[2]} : Weight{}, options)};
            },
            inputs);
      }
    }
  }
}

TEST_P(CudaParity, Activation) {
  for (Activation kind :
       {Activation::gelu_erf, Activation::gelu_tanh, Activation::silu, Activation::squared_relu, Activation::relu}) {
    for (int64_t columns : {2, 34, 512, 1026, 5632}) {
      SCOPED_TRACE(testing::Message() << static_cast<int>(kind) << " x" << columns);
      const Tensors inputs{input({100, columns}, 1), input({columns}, 2)};
      compare([&](const Tensors& in) -> Tensors { return {activation(in[0], {in[1]}, kind)}; }, inputs);
      compare([&](const Tensors& in) -> Tensors { return {activation(in[0], {}, kind)}; }, {inputs[0]});
      compare([&](const Tensors& in) -> Tensors { return {gated_activation(in[0], kind)}; }, {inputs[0]});
    }
  }
}

// Whether GELU is part of the products, which is a question of speed, or made apart: within BF16's rounding of its
// input.
TEST_P(CudaParity, LinearGelu) {
  struct Case {
    int64_t tokens, hidden, f;
  };
  for (const Case& c : {Case{1, 8, 8}, Case{5, 3, 7}, Case{130, 48, 96}, Case{100, 64, 258}, Case{512, 256, 1024}}) {
    SCOPED_TRACE(testing::Message() << c.tokens << "x" << c.hidden << "x" << c.f);
    const auto scaled = [&](int64_t rows, int64_t columns, uint64_t seed) {
      return input({rows, columns}, seed) / std::sqrt(static_cast<double>(columns));
    };
    const Tensors inputs = {input({c.tokens, c.hidden}, 1) / 8, scaled(c.f, c.hidden, 2), input({c.f}, 3),
                            scaled(c.hidden, c.f, 4), input({c.hidden}, 5)};
    for (const GeluInput way : {GeluInput::fastest, GeluInput::rounded}) {
      compare(
          [&](const Tensors& in) -> Tensors {
            return {gelu_linear(linear_gelu(in[0], {in[1]}, {in[2]}, way), {in[3]}, {in[4]})};
          },
          inputs, 8);
      compare(
          [&](const Tensors& in) -> Tensors {
            return {gelu_linear(linear_gelu(in[0], {in[1]}, {}, way), {in[2]}, {})};
          },
          {inputs[0], inputs[1], inputs[3]}, 8);
    }
  }
}

// Where nothing is measured GELU is made apart: what selective recomputation makes again has the same bits.
TEST_P(CudaParity, LinearGeluIsMadeApartInDeterministicMode) {
  const Deterministic deterministic;
  const at::Tensor x = input({64, 32}, 1).to(at::kCUDA), weight = input({128, 32}, 2).to(at::kCUDA);
  for (const GeluInput way : {GeluInput::fastest, GeluInput::rounded}) {
    const GeluPair pair = linear_gelu(x, {weight}, {}, way);
    EXPECT_TRUE(bit_equal(pair.activated.cpu(), activation(pair.pre, {}, Activation::gelu_tanh).cpu()));
  }
}

TEST_P(CudaParity, Dropout) {
  for (int64_t hidden : {3, 64, 513}) {
    for (int64_t first_token : {int64_t{0}, int64_t{7}, int64_t{1} << 40}) {
      compare(
          [&](const Tensors& in) -> Tensors {
            return {dropout(in[0], 0.3, {3, "site", dropout_place(5, first_token, in[0].device()), 2})};
          },
          {input({100, hidden}, 1)});
    }
  }
}

TEST_P(CudaParity, Embedding) {
  for (int64_t hidden : {3, 64, 513}) {
    const at::Tensor ids = (random_tensor({1000}, 5) * 4).abs().to(at::kLong);
    compare([&](const Tensors& in) -> Tensors { return {ops::embedding(ids.to(in[0].device()), {in[0]})}; },
            {input({40, hidden}, 1)});
  }
}

TEST_P(CudaParity, LinearCrossEntropy) {
  struct Case {
    int64_t tokens, rows;
    CrossEntropyOptions options;
  };
  for (const Case& c : {Case{1, 5, {}}, Case{64, 96, {.vocab_size = 90}}, Case{37, 131, {.chunk_tokens = 10}},
                        Case{33, 5003, {.vocab_size = 4999, .z_loss = 1e-2, .logit_softcap = 5, .chunk_tokens = 7}},
                        Case{40, 50257, {.z_loss = 1e-3}}, Case{40, 50257, {.bf16_logits = true}},
                        Case{9, 131075, {.logit_softcap = 5, .bf16_logits = true}}}) {
    const int64_t vocab = c.options.vocab_size > 0 ? c.options.vocab_size : c.rows;
    SCOPED_TRACE(testing::Message() << c.tokens << "x" << vocab);
    const at::Tensor labels = (random_tensor({c.tokens}, 5).abs() * 1000).to(at::kLong).remainder(vocab);
    at::Tensor weights = random_tensor({c.tokens}, 6).abs().to(at::kFloat) + 0.1;
    for (int64_t t = 2; t < c.tokens; t += 3) {
      weights[t] = 0;
      labels[t] = -100;  // not looked at
    }
    compare(
        [&](const Tensors& in) -> Tensors {
          const auto device = in[0].device();
          const auto result = linear_cross_entropy(in[0], {in[1]}, labels.to(device), weights.to(device), c.options);
          EXPECT_NO_THROW(throw_device_faults());
          return {result.loss};
        },
        {input({c.tokens, 48}, 1), input({c.rows, 48}, 2)});
  }
}

TEST_P(CudaParity, Attention) {
  const Deterministic deterministic;
  struct Case {
    int64_t heads, kv_heads, head_dim, rotary_dim;
    std::vector<int32_t> cu_seqlens;
    double dropout = 0;
    bool own_positions = false;
  };
  for (const Case& c :
       {Case{4, 2, 64, 64, {0, 130, 131, 300}}, Case{8, 8, 64, 32, {0, 128, 256}}, Case{6, 2, 18, 6, {0, 31, 32, 100}},
        Case{4, 1, 128, 128, {0, 517}, 0, true}, Case{2, 1, 256, 256, {0, 75}}, Case{3, 3, 80, 40, {0, 0, 70, 150}},
        Case{4, 2, 64, 64, {0, 97, 200}, 0.25}, Case{2, 1, 64, 0, {0, 1}}, Case{4, 2, 64, 64, {0, 0, 1, 2, 2, 3}}}) {
    SCOPED_TRACE(testing::Message() << c.heads << "/" << c.kv_heads << " heads of " << c.head_dim << ", dropout "
                                    << c.dropout);
    const int64_t tokens = c.cu_seqlens.back();
    AttentionOptions options;
    options.heads = c.heads, options.kv_heads = c.kv_heads, options.head_dim = c.head_dim;
    options.scale = 1 / std::sqrt(static_cast<double>(c.head_dim));
    options.cu_seqlens = c.cu_seqlens;
    options.dropout = c.dropout;
    const at::Tensor positions = (random_tensor({tokens}, 9).abs() * 200).to(at::kLong).clamp(0, 599);
    compare(
        [&](const Tensors& in) -> Tensors {
          AttentionOptions own = options;
          if (c.rotary_dim > 0)
            own.rope = make_rope_table(rope_inverse_frequencies(c.rotary_dim, 1e4), 600, in[0].device());
          if (c.own_positions) own.positions = positions.to(in[0].device());
          own.dropout_key = {42, "layers.1.attention", dropout_place(3, 1001, in[0].device())};
          return {attention(in[0], own)};
        },
        {input({tokens, (c.heads + 2 * c.kv_heads) * c.head_dim}, 1)}, 4);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, CudaParity, testing::Values(at::kFloat, at::kBFloat16, at::kDouble),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

class Cuda : public testing::Test {
 protected:
  void SetUp() override {
    if (!cuda_problem().empty()) GTEST_SKIP() << cuda_problem();
  }
};

TEST_F(Cuda, MainGradAddsUp) {
  const at::Tensor x = random_tensor({100, 64}, 1, at::kFloat), weight = random_tensor({64}, 2, at::kFloat);
  const auto main_grad = [&](at::DeviceType device) {
    const Weight w{leaf(weight.to(device)), at::ones({64}, at::kFloat).to(device)};
    for (int repeat = 0; repeat < 2; ++repeat) gradients_of({norm(x.to(device), w, {}, {})}, {x.to(device)}, {});
    return w.main_grad.cpu();
  };
  EXPECT_LT(max_error(main_grad(at::kCUDA), main_grad(at::kCPU)), 1e-5);
}

// What the device reports once the test has waited for it.
std::string fault(const at::Tensor& result) {
  result.cpu();
  try {
    throw_device_faults();
  } catch (const Error& error) {
    return error.what();
  }
  return "none";
}

TEST_F(Cuda, EmbeddingNamesAnIdOutsideTheTable) {
  const at::Tensor ids = (at::ones({3}, at::kLong) * 9).to(at::kCUDA);
  const at::Tensor y = ops::embedding(ids, {at::ones({9, 2}, at::kFloat).to(at::kCUDA)});
  EXPECT_NE(fault(y).find("token id 9 (at token "), std::string::npos);
  EXPECT_EQ(fault(y), "none");  // told once
  EXPECT_EQ(y.abs().sum().item().toDouble(), 0);
}

TEST_F(Cuda, AWrongLabelIsNamed) {
  const at::Tensor hidden = random_tensor({6, 8}, 1, at::kFloat).to(at::kCUDA),
                   weights = at::ones({6}, hidden.options());
  at::Tensor labels = at::ones({6}, hidden.options().dtype(at::kLong));
  labels[4] = 10;
  const auto result =
      linear_cross_entropy(hidden, {random_tensor({10, 8}, 2, at::kFloat).to(at::kCUDA)}, labels, weights, {});
  EXPECT_NE(fault(result.loss).find("label of token 4 of the batch is 10,"), std::string::npos);
}

TEST_F(Cuda, UnitGradientIsChecked) {
  const at::Tensor hidden = leaf(random_tensor({6, 8}, 1, at::kFloat).to(at::kCUDA));
  const auto result =
      linear_cross_entropy(hidden, {random_tensor({10, 8}, 2, at::kFloat).to(at::kCUDA)},
                           at::ones({6}, hidden.options().dtype(at::kLong).requires_grad(false)),
                           at::ones({6}, hidden.options().requires_grad(false)), {.unit_gradient = true});
  (result.loss * 2).backward();
  EXPECT_NE(fault(hidden.grad()).find("unit_gradient got 2"), std::string::npos);
}

TEST_F(Cuda, Gemm) {
  struct Case {
    int64_t m, n, k;
  };
  for (const Case& c : {Case{1, 1, 1}, Case{1, 64, 512}, Case{300, 130, 70}, Case{1024, 1536, 512}, Case{257, 33, 4095},
                        Case{64, 64, 0}}) {
    for (const auto& [type, tolerance] :
         {std::pair(at::kFloat, 3e-5), std::pair(at::kBFloat16, 0x1p-7), std::pair(at::kDouble, 1e-11)}) {
      SCOPED_TRACE(testing::Message() << c.m << "x" << c.n << "x" << c.k << " " << c10::toString(type));
      const double scale = 1 / std::sqrt(static_cast<double>(c.k + 1));
      const at::Tensor a = (random_tensor({c.m, c.k}, 1) * scale).to(type), b = random_tensor({c.k, c.n}, 2, type);
      const at::Tensor bias = random_tensor({c.n}, 3, type);
      const at::Tensor product = at::matmul(a.to(at::kDouble), b.to(at::kDouble));
      const at::Tensor a_row = a.to(at::kCUDA), b_row = b.to(at::kCUDA);
      const at::Tensor a_column = a_row.t().contiguous().t(), b_column = b_row.t().contiguous().t();
      for (const at::Tensor& left : {a_row, a_column}) {
        for (const at::Tensor& right : {b_row, b_column}) {
          // Rows that do not begin where the ones before end.
          const at::Tensor out = at::empty({c.m, c.n + 5}, left.options()).narrow(1, 0, c.n);
          gemm(left, right, out);
          EXPECT_LT(max_error(out.cpu(), product), tolerance);
          gemm(left, right, out, GemmMode::overwrite, bias.to(at::kCUDA));
          EXPECT_LT(max_error(out.cpu(), product + bias.to(at::kDouble)), tolerance);
          const at::Tensor sum = at::ones({c.m, c.n}, left.options().dtype(type == at::kDouble ? type : at::kFloat));
          gemm(left, right, sum, GemmMode::accumulate);
          gemm(left, right, sum, GemmMode::accumulate);
          // Hopper's tensor cores cut off what they add up.
          EXPECT_LT(max_error(sum.cpu(), product * 2 + 1), type == at::kBFloat16 ? 1e-4 : tolerance);
        }
      }
    }
  }
}

TEST_F(Cuda, GemmRepeatsItself) {
  const Deterministic deterministic;
  const at::Tensor a = random_tensor({64, 20000}, 1, at::kBFloat16).to(at::kCUDA);
  const at::Tensor b = random_tensor({20000, 64}, 2, at::kBFloat16).to(at::kCUDA);
  const auto product = [&] {
    const at::Tensor out = at::zeros({64, 64}, a.options().dtype(at::kFloat));
    gemm(a, b, out, GemmMode::accumulate);
    return out.cpu();
  };
  const at::Tensor first = product();
  for (int repeat = 0; repeat < 5; ++repeat) EXPECT_TRUE(bit_equal(product(), first));
}

// Each fused kernel against the composition in FP64, on the same BF16 numbers.
TEST_F(Cuda, FusedAttentionKernels) {
  AttentionOptions options;
  options.heads = 8, options.kv_heads = 2, options.head_dim = 128, options.scale = 0.09;
  options.cu_seqlens = {0, 384, 768};
  const at::Tensor x = random_tensor({768, 12 * 128}, 1, at::kBFloat16),
                   dout = random_tensor({768, 1024}, 2, at::kBFloat16);
  const auto run = [&](const at::Tensor& on_device, const AttentionCore& core) {
    const at::Tensor qkv = leaf(on_device);
    const at::Tensor out = attention_apart(qkv, options, core);
    const Tensors gradient = gradients_of({out}, {dout.to(out.device()).to(out.scalar_type())}, {qkv});
    return std::pair(out.detach().cpu(), gradient[0].cpu());
  };
  const auto expected = run(x.to(at::kDouble), blocks_core());
  for (const AttentionCore& core : {flash_core(), cudnn_core(), blocks_core()}) {
    const auto seen = run(x.to(at::kCUDA), core);
    EXPECT_LT(max_error(seen.first, expected.first), 0x1p-6);
    EXPECT_LT(max_error(seen.second, expected.second), 0x1p-5);
  }
}

TEST_F(Cuda, AdamW) {
  for (int64_t count : {1, 513, 200000}) {
    const auto run = [&](at::DeviceType device) {
      const at::Tensor master = random_tensor({count}, 1, at::kFloat).to(device), model = master.to(at::kBFloat16);
      const at::Tensor moment1 = at::zeros_like(master), moment2 = at::zeros_like(master);
      double norm = 0;
      AdamWOptions options;
      for (options.step = 1; options.step < 4; ++options.step) {
        const at::Tensor grad = random_tensor({count}, 10 + options.step, at::kFloat).to(device);
        const at::Tensor square = at::zeros({1}, at::TensorOptions().dtype(at::kDouble).device(device));
        add_squared_norm(grad, square);
        options.grad_scale = clipping_scale(square, 1.0);
        norm += square.item<double>();
        adamw_step(master, moment1, moment2, grad, model, options, true);
        EXPECT_EQ(grad.abs().sum().item().toDouble(), 0);
      }
      EXPECT_TRUE(bit_equal(model, master.to(at::kBFloat16)));
      return std::pair(master.cpu(), norm);
    };
    const auto cpu = run(at::kCPU), cuda = run(at::kCUDA);
    EXPECT_LT(max_error(cuda.first, cpu.first), 1e-6);
    EXPECT_NEAR(cuda.second, cpu.second, 1e-12 * cpu.second);
  }
}

}  // namespace
}  // namespace longhaul::ops
