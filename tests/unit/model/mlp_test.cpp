#include "model/mlp.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "longhaul/ops/host_memory.h"

namespace longhaul {
namespace {

constexpr int64_t kTokens = 37, kHidden = 24, kFfn = 88;

struct Kind {
  Activation activation;
  bool gated, biases;
};

// What a forward and backward of one MLP leave, its input's gradient first.
struct Pass {
  at::Tensor out;
  std::vector<at::Tensor> gradients;
};

class MlpTest : public testing::TestWithParam<Kind> {
 protected:
  Pass run(c10::ScalarType type, Recompute recompute, bool checked = false) {
    ModelConfig config;
    config.hidden = kHidden;
    config.ffn_hidden = kFfn;
    config.activation = GetParam().activation;
    config.gated = GetParam().gated;
    config.linear_bias = GetParam().biases;
    ParameterStore store({.dtype = type});
    Mlp mlp(config, "mlp.", store);
    store.allocate();
    at::manual_seed(5);
    for (const Parameter& p : store.parameters()) p.value.detach().copy_(at::randn(p.value.sizes()) / 4);
    const at::Tensor x = at::randn({kTokens, kHidden}).to(type).requires_grad_(),
                     dy = at::randn({kTokens, kHidden}).to(type);
    LayerContext context;
    context.recompute = recompute;
    Pass pass{mlp.forward(x, context), {}};
    pass.out.backward(dy);
    pass.gradients.push_back(x.grad());
    for (const Parameter& p : store.parameters()) pass.gradients.push_back(p.main_grad);
    if (checked) check(store, x, dy, pass);
    return pass;
  }

  // Against LibTorch's operators.
  void check(const ParameterStore& store, const at::Tensor& input, const at::Tensor& dy, const Pass& pass) {
    std::vector<at::Tensor> leaves = {input.detach().clone().requires_grad_()};
    std::map<std::string, at::Tensor> by_name;
    for (const Parameter& p : store.parameters()) {
      leaves.push_back(p.value.detach().clone().requires_grad_());
      by_name[p.name] = leaves.back();
    }
    const at::Tensor inner = at::linear(leaves[0], by_name.at("mlp.linear_fc1.weight"), by_name["mlp.linear_fc1.bias"]);
    const auto act = [](const at::Tensor& v) {
      switch (GetParam().activation) {
        case Activation::gelu_tanh:
          return at::gelu(v, "tanh");
        case Activation::gelu_erf:
          return at::gelu(v);
        default:
          return at::silu(v);
      }
    };
    const at::Tensor activated =
        GetParam().gated ? act(inner.narrow(1, 0, kFfn)) * inner.narrow(1, kFfn, kFfn) : act(inner);
    const at::Tensor out = at::linear(activated, by_name.at("mlp.linear_fc2.weight"), by_name["mlp.linear_fc2.bias"]);
    EXPECT_TRUE(at::allclose(pass.out, out, 1e-12, 1e-12));
    out.backward(dy);
    for (size_t i = 0; i < leaves.size(); ++i)
      EXPECT_TRUE(at::allclose(pass.gradients[i], leaves[i].grad(), 1e-12, 1e-12)) << "gradient " << i;
  }
};

TEST_P(MlpTest, EqualsLibTorchsOperators) {
  run(at::kDouble, Recompute::none, /*checked=*/true);
}

TEST_P(MlpTest, SelectiveRecomputationHasTheSameBits) {
  for (const auto type : {at::kDouble, at::kFloat, at::kBFloat16}) {
    const Pass kept = run(type, Recompute::none), again = run(type, Recompute::selective);
    EXPECT_TRUE(at::equal(kept.out, again.out));
    for (size_t i = 0; i < kept.gradients.size(); ++i) {
      EXPECT_TRUE(at::equal(kept.gradients[i], again.gradients[i])) << "gradient " << i;
      EXPECT_GT(kept.gradients[i].abs().max().item<double>(), 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, MlpTest,
                         testing::Values(Kind{Activation::gelu_tanh, false, true},
                                         Kind{Activation::gelu_tanh, false, false},
                                         Kind{Activation::gelu_tanh, true, true},
                                         Kind{Activation::gelu_erf, false, true}, Kind{Activation::silu, true, false}));

// Between forward and backward an MLP keeps what docs and the memory estimate say: GELU's input and output, or the
// input alone.
TEST(MlpMemory, SelectiveRecomputationKeepsGelusInputAlone) {
  constexpr int64_t kManyTokens = 2048, kWide = 1024;
  ops::keep_host_memory();  // counts, too: tensors of 1 MiB and more
  ModelConfig config;
  config.hidden = kHidden;
  config.ffn_hidden = kWide;
  config.activation = Activation::gelu_tanh;
  config.gated = false;
  config.linear_bias = true;
  ParameterStore store({});
  Mlp mlp(config, "mlp.", store);
  store.allocate();
  const at::Tensor x = at::randn({kManyTokens, kHidden}).requires_grad_();
  const auto kept = [&](Recompute recompute) {
    LayerContext context;
    context.recompute = recompute;
    const int64_t before = ops::host_memory().tensors;
    const at::Tensor out = mlp.forward(x, context);
    return ops::host_memory().tensors - before;
  };
  constexpr int64_t kMatrix = kManyTokens * kWide * 4;
  EXPECT_EQ(kept(Recompute::none) / kMatrix, 2);
  EXPECT_EQ(kept(Recompute::selective) / kMatrix, 1);
}

}  // namespace
}  // namespace longhaul
