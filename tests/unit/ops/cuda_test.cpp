// The CUDA kernels against the CPU's, operator by operator; skipped where there is no GPU.
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <functional>

#include "longhaul/core/error.h"
#include "longhaul/ops/activation.h"
#include "longhaul/ops/adamw.h"
#include "longhaul/ops/device.h"
#include "longhaul/ops/dropout.h"
#include "longhaul/ops/embedding.h"
#include "longhaul/ops/norm.h"
#include "unit/ops/gradcheck.h"

namespace longhaul::ops {
namespace {

class CudaParity : public testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    if (!cuda_problem().empty()) GTEST_SKIP() << cuda_problem();
  }

  // Outputs and gradients of `function` of the inputs, on the CPU and on CUDA; twice there, to see that it
  // repeats.
  void compare(const std::function<Tensors(const Tensors&)>& function, const Tensors& inputs) {
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
    const double tolerance = GetParam() == at::kDouble ? 1e-11 : GetParam() == at::kFloat ? 3e-5 : 0x1p-7;
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
        compare(
            [&](const Tensors& in) -> Tensors {
              const auto [sum, y] = residual_norm(in[0], in[1], {in[2]}, bias(in), options);
              return {sum, y, norm(in[0], {in[2]}, bias(in), options)};
            },
            inputs);
      }
    }
  }
}

TEST_P(CudaParity, Activation) {
  for (Activation kind : {Activation::gelu_erf, Activation::gelu_tanh, Activation::silu,
                          Activation::squared_relu, Activation::relu}) {
    for (int64_t columns : {2, 34, 512, 1026, 5632}) {
      SCOPED_TRACE(testing::Message() << static_cast<int>(kind) << " x" << columns);
      compare(
          [&](const Tensors& in) -> Tensors {
            return {activation(in[0], {in[1]}, kind), activation(in[0], {}, kind),
                    gated_activation(in[0], kind)};
          },
          {input({100, columns}, 1), input({columns}, 2)});
    }
  }
}

TEST_P(CudaParity, Dropout) {
  for (int64_t hidden : {3, 64, 513}) {
    for (uint64_t first_token : {uint64_t{0}, uint64_t{7}, uint64_t{1} << 40}) {
      const DropoutKey key{3, "site", 5, first_token};
      compare([&](const Tensors& in) -> Tensors { return {dropout(in[0], 0.3, key)}; },
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
    for (int repeat = 0; repeat < 2; ++repeat)
      gradients_of({norm(x.to(device), w, {}, {})}, {x.to(device)}, {});
    return w.main_grad.cpu();
  };
  EXPECT_LT(max_error(main_grad(at::kCUDA), main_grad(at::kCPU)), 1e-5);
}

TEST_F(Cuda, EmbeddingNamesAnIdOutsideTheTable) {
  const at::Tensor ids = (at::ones({3}, at::kLong) * 9).to(at::kCUDA);
  EXPECT_THROW(ops::embedding(ids, {at::ones({9, 2}, at::kFloat).to(at::kCUDA)}), UserError);
}

TEST_F(Cuda, AdamW) {
  for (int64_t count : {1, 513, 200000}) {
    const auto run = [&](at::DeviceType device) {
      const at::Tensor master = random_tensor({count}, 1, at::kFloat).to(device),
                       model = master.to(at::kBFloat16);
      const at::Tensor moment1 = at::zeros_like(master), moment2 = at::zeros_like(master);
      double norm = 0;
      AdamWOptions options;
      for (options.step = 1; options.step < 4; ++options.step) {
        const at::Tensor grad = random_tensor({count}, 10 + options.step, at::kFloat).to(device);
        norm += squared_norm(grad);
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
