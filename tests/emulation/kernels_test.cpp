// The CUDA kernels, emulated, against the CPU's twins of them, which tests/unit/ops holds to LibTorch.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "longhaul/core/error.h"
#include "emulation.h"
#include "longhaul/core/random.h"
#include "ops/activation_kernels.h"
#include "ops/adamw_kernels.h"
#include "ops/attention_dropout.h"
#include "ops/attention_dropout_kernels.h"
#include "ops/cross_entropy_kernels.h"
#include "ops/cross_entropy_rows.h"
#include "ops/device_faults.h"
#include "ops/dispatch.h"
#include "ops/dropout_kernels.h"
#include "ops/embedding_kernels.h"
#include "ops/norm_kernels.h"
#include "ops/rotary_kernels.h"

namespace longhaul::ops {
namespace {

at::Tensor random(at::IntArrayRef sizes, uint64_t seed, at::ScalarType type) {
  at::Tensor x = at::empty(sizes, at::kFloat);
  RandomStream(seed, "emulation").fill_normal(x.data_ptr<float>(), 0, x.numel(), 0, 1);
  return x.to(type);
}

at::ScalarType wide(at::ScalarType type) {
  return type == at::kDouble ? at::kDouble : at::kFloat;
}

class Emulated : public testing::TestWithParam<at::ScalarType> {
 protected:
  at::ScalarType type() const { return GetParam(); }
  at::Tensor input(at::IntArrayRef sizes, uint64_t seed) const { return random(sizes, seed, type()); }
  at::Tensor statistics(at::IntArrayRef sizes, double value = 0.5) const {
    return at::full(sizes, value, wide(type()));
  }

  // Runs call(on_cuda, tensors) with copies of `tensors` for both, and compares what it leaves in them. In both orders
  // of a block's threads CUDA's has to leave the same bits.
  template <typename Call>
  void compare(const std::vector<at::Tensor>& tensors, const Call& call) const {
    std::vector<at::Tensor> cpu, cuda, cuda_backwards;
    for (const at::Tensor& x : tensors) {
      cpu.push_back(x.clone());
      cuda.push_back(x.clone());
      cuda_backwards.push_back(x.clone());
    }
    call(false, cpu);
    call(true, cuda);
    emulation::run_last_thread_first(true);
    call(true, cuda_backwards);
    emulation::run_last_thread_first(false);
    for (size_t i = 0; i < cuda.size(); ++i) {
      EXPECT_TRUE(at::equal(cuda[i], cuda_backwards[i])) << "tensor " << i << " depends on the order of threads";
    }
    for (size_t i = 0; i < cpu.size(); ++i) {
      if (cpu[i].numel() == 0) continue;
      const at::Tensor a = cuda[i].to(at::kDouble), b = cpu[i].to(at::kDouble);
      const double tolerance = tensors[i].scalar_type() == at::kDouble  ? 1e-12
                               : tensors[i].scalar_type() == at::kFloat ? 2e-5
                                                                        : 0x1p-7;
      EXPECT_LE(((a - b).abs() / (b.abs() + 1)).max().item<double>(), tolerance) << "tensor " << i;
    }
  }
};

TEST_P(Emulated, Norm) {
  for (const bool layer_norm : {false, true}) {
    for (const int64_t hidden : {3, 40, 513, 1536, 4104}) {
      for (const int64_t rows : {1, 37}) {
        SCOPED_TRACE(testing::Message() << layer_norm << " " << rows << "x" << hidden);
        const RowBlocks blocks = row_blocks(rows, true);
        // x, residual, weight, bias, sum, y, mean, rstd, dy, dsum, dx, dweight, dbias
        compare({input({rows, hidden}, 1), input({rows, hidden}, 2), input({hidden}, 3), input({hidden}, 4),
                 input({rows, hidden}, 5), input({rows, hidden}, 6), statistics({rows}), statistics({rows}),
                 input({rows, hidden}, 7), input({rows, hidden}, 8), input({rows, hidden}, 9), statistics({hidden}),
                 statistics({hidden})},
                [&](bool cuda, const std::vector<at::Tensor>& t) {
                  const NormShape shape{element_type(t[0]), rows, hidden, layer_norm, layer_norm, 1e-5};
                  NormForward f{shape};
                  f.x = t[0].data_ptr(), f.residual = t[1].data_ptr(), f.weight = t[2].data_ptr();
                  f.bias = layer_norm ? t[3].data_ptr() : nullptr;
                  f.sum = t[4].data_ptr(), f.y = t[5].data_ptr(), f.rstd = t[7].data_ptr();
                  f.mean = layer_norm ? t[6].data_ptr() : nullptr;
                  cuda ? cuda::norm_forward(f, nullptr) : cpu::norm_forward(f);
                  const at::Tensor partials = at::empty({2, blocks.count, hidden}, t[6].options());
                  NormBackward b{shape};
                  b.x = t[4].data_ptr(), b.weight = t[2].data_ptr(), b.mean = f.mean, b.rstd = f.rstd;
                  b.dy = t[8].data_ptr(), b.dsum = t[9].data_ptr(), b.dx = t[10].data_ptr();
                  b.dweight = t[11].data_ptr(), b.dbias = layer_norm ? t[12].data_ptr() : nullptr;
                  b.blocks = blocks, b.partials = partials.data_ptr();
                  cuda ? cuda::norm_backward(b, nullptr) : cpu::norm_backward(b);
                });
      }
    }
  }
}

TEST_P(Emulated, Activations) {
  for (const Activation kind :
       {Activation::gelu_erf, Activation::gelu_tanh, Activation::silu, Activation::squared_relu, Activation::relu}) {
    for (const int64_t columns : {2, 33, 264}) {
      const int64_t rows = 19;
      const RowBlocks blocks = row_blocks(rows, true);
      compare(
          {input({rows, 2 * columns}, 1), input({rows, columns}, 2), input({columns}, 3), input({rows, columns}, 4),
           input({rows, 2 * columns}, 5), input({rows, columns}, 6), statistics({columns}), input({rows, columns}, 7)},
          [&](bool cuda, const std::vector<at::Tensor>& t) {
            const ActivationShape shape{element_type(t[0]), kind, rows, columns};
            const GatedForward gated{shape, t[0].data_ptr(), t[3].data_ptr()};
            cuda ? cuda::gated_forward(gated, nullptr) : cpu::gated_forward(gated);
            const GatedBackward gated_backward{shape, t[0].data_ptr(), t[1].data_ptr(), t[4].data_ptr()};
            cuda ? cuda::gated_backward(gated_backward, nullptr) : cpu::gated_backward(gated_backward);
            const at::Tensor y = at::empty_like(t[1]);
            const ActivationForward forward{shape, t[1].data_ptr(), t[2].data_ptr(), y.data_ptr()};
            cuda ? cuda::activation_forward(forward, nullptr) : cpu::activation_forward(forward);
            const at::Tensor partials = at::empty({blocks.count, columns}, t[6].options());
            ActivationBackward backward{shape};
            backward.x = t[1].data_ptr(), backward.bias = t[2].data_ptr(), backward.dy = t[3].data_ptr();
            backward.dx = t[5].data_ptr(), backward.dbias = t[6].data_ptr();
            backward.blocks = blocks, backward.partials = partials.data_ptr();
            cuda ? cuda::activation_backward(backward, nullptr) : cpu::activation_backward(backward);
            // In place, the bias within x.
            backward.bias = nullptr;
            backward.dy = backward.dx = t[7].data_ptr();
            cuda ? cuda::activation_backward(backward, nullptr) : cpu::activation_backward(backward);
            t[1].copy_(y);
          });
    }
  }
}

TEST_P(Emulated, Dropout) {
  const std::pair<int64_t, int64_t> shapes[] = {{1, 1}, {1, 7}, {512, 3}, {3, 4}, {512, 8}};
  for (const int64_t first_token : {int64_t{0}, int64_t{3}, int64_t{1} << 40}) {
    for (const auto& [tokens, columns] : shapes) {
      const int64_t count = tokens * columns;
      compare({input({count}, 1), input({count}, 2), input({count}, 3)},
              [&](bool cuda, const std::vector<at::Tensor>& t) {
                const at::Tensor place = dropout_place(3, first_token);
                DropoutArguments a;
                a.type = element_type(t[0]), a.count = count, a.x = t[0].data_ptr(), a.y = t[1].data_ptr();
                a.key = RandomStream(1, "x").key(), a.threshold = 1 << 22, a.scale = 4.0 / 3;
                a.place = place.const_data_ptr<int64_t>(), a.first_token = 2, a.columns = columns;
                cuda ? cuda::dropout(a, nullptr) : cpu::dropout(a);
                place.copy_(dropout_place(4, first_token + 5));
                a.y = t[2].data_ptr();
                cuda ? cuda::dropout(a, nullptr) : cpu::dropout(a);
              });
    }
  }
}

TEST_P(Emulated, Embedding) {
  const int64_t rows = 9, tokens = 50;
  const at::Tensor ids = (random({tokens}, 5, at::kFloat).abs() * 3).to(at::kLong).remainder(rows);
  const auto [sorted, order] = at::sort(ids, true, 0, false);
  for (const int64_t hidden : {3, 16, 200}) {
    compare(
        {input({rows, hidden}, 1), input({tokens, hidden}, 2), input({tokens, hidden}, 3), statistics({rows, hidden})},
        [&, sorted = sorted, order = order](bool cuda, const std::vector<at::Tensor>& t) {
          const EmbeddingForward f{element_type(t[0]),      tokens,          rows,           hidden,
                                   ids.data_ptr<int64_t>(), t[0].data_ptr(), t[1].data_ptr()};
          cuda ? cuda::embedding_forward(f, nullptr) : cpu::embedding_forward(f);
          const EmbeddingBackward b{
              element_type(t[0]),        tokens,          rows,           hidden, sorted.data_ptr<int64_t>(),
              order.data_ptr<int64_t>(), t[2].data_ptr(), t[3].data_ptr()};
          cuda ? cuda::embedding_backward(b, nullptr) : cpu::embedding_backward(b);
        });
  }
}

TEST(Emulation, ForeignTokenIdsGiveZeros) {
  const at::Tensor ids = at::tensor({-1, 2, 9, 3}, at::kLong), sorted = at::tensor({-1, 2, 3, 9}, at::kLong);
  const at::Tensor order = at::tensor({0, 1, 3, 2}, at::kLong), table = random({9, 8}, 1, at::kFloat);
  const at::Tensor y = at::ones({4, 8}), dtable = at::zeros({9, 8});
  cuda::embedding_forward({ElementType::float32, 4, 9, 8, ids.data_ptr<int64_t>(), table.data_ptr(), y.data_ptr()},
                          nullptr);
  EXPECT_TRUE(at::equal(y, at::stack({at::zeros(8), table[2], at::zeros(8), table[3]})));
  cuda::embedding_backward({ElementType::float32, 4, 9, 8, sorted.data_ptr<int64_t>(), order.data_ptr<int64_t>(),
                            y.data_ptr(), dtable.data_ptr()},
                           nullptr);
  EXPECT_TRUE(at::equal(dtable.sum(0), table[2] + table[3]));
}

TEST_P(Emulated, CrossEntropy) {
  struct Case {
    int64_t classes;
    double softcap;
    bool parts;          // of a vocabulary: statistics first
    bool narrow_logits;  // BF16 on CUDA
  };
  const bool bf16 = type() == at::kBFloat16;
  std::vector<Case> cases;
  for (const double softcap : {0.0, 4.0}) {
    for (const int64_t classes : {1, 5, 515, 5003, 25003, 66001}) {
      for (const bool parts : {false, true}) {
        cases.push_back({classes, softcap, parts, false});
        if (bf16) cases.push_back({classes, softcap, parts, true});
      }
    }
  }
  for (const auto& [classes, softcap, parts, narrow_logits] : cases) {
    SCOPED_TRACE(testing::Message() << classes << " softcap " << softcap << " parts " << parts << " BF16 logits "
                                    << narrow_logits);
    const int64_t rows = classes < 20000 ? 7 : 3, stride = (classes + 7) / 8 * 8;
    const at::Tensor labels = (random({rows}, 5, at::kFloat).abs() * 5000).to(at::kLong).remainder(classes);
    labels[2] = classes + 3;  // another rank's
    at::Tensor weights = random({rows}, 6, wide(type())).abs() + 0.1;
    weights[1] = 0;
    labels[1] = -100;
    at::Tensor logits = random({rows, classes}, 1, wide(type())) * 5;
    if (narrow_logits) logits = logits.to(at::kBFloat16).to(wide(type()));
    // losses, weighted, gradient
    compare({statistics({rows}), statistics({rows}), input({rows, classes}, 3)}, [&](bool cuda,
                                                                                     const std::vector<at::Tensor>& t) {
      const auto memory_type = cuda && narrow_logits ? at::kBFloat16 : wide(type());
      const at::Tensor memory = at::full({rows, cuda ? stride : classes}, 1e30, memory_type);
      const at::Tensor own = memory.narrow(1, 0, classes).copy_(logits);
      const at::Tensor gradient = !cuda ? t[2] : bf16 && !narrow_logits ? gradient_in_place(memory, classes) : own;
      const at::Tensor top = statistics({rows}), sum = statistics({rows}), at_label = statistics({rows});
      CrossEntropyArguments a{};
      a.logits_type = element_type(own), a.type = element_type(gradient);
      a.rows = rows, a.classes = classes, a.row_stride = own.stride(0);
      a.z_loss = 0.01, a.logit_softcap = softcap, a.logits = own.data_ptr();
      a.labels = labels.data_ptr<int64_t>(), a.weights = weights.data_ptr();
      a.top = top.data_ptr(), a.sum = sum.data_ptr(), a.label_logit = at_label.data_ptr();
      a.losses = t[0].data_ptr(), a.weighted = t[1].data_ptr();
      if (parts) {
        CrossEntropyArguments statistics_only = a;
        statistics_only.pass = CrossEntropyPass::statistics, statistics_only.type = element_type(own);
        cuda ? cuda::cross_entropy_rows(statistics_only, nullptr) : cpu::cross_entropy_rows(statistics_only);
      }
      a.pass = parts ? CrossEntropyPass::finish : CrossEntropyPass::whole;
      a.gradient = gradient.data_ptr(), a.gradient_stride = gradient.stride(0);
      cuda ? cuda::cross_entropy_rows(a, nullptr) : cpu::cross_entropy_rows(a);
      t[2].copy_(gradient);
      if (!cuda) t[0][1] = 0;  // the CPU is never asked for a token of weight 0
    });
  }
}

TEST_P(Emulated, Rotary) {
  struct Case {
    int64_t kv_heads, per_group, head_dim, half;
    bool positions;
  };
  for (const Case& c : {Case{2, 3, 32, 16, false}, Case{1, 1, 64, 8, true}, Case{3, 2, 10, 3, false},
                        Case{2, 4, 8, 0, false}, Case{2, 1, 18, 9, true}}) {
    SCOPED_TRACE(testing::Message() << c.kv_heads << " groups, head_dim " << c.head_dim);
    const int64_t tokens = 23, heads = c.kv_heads * c.per_group, columns = (heads + 2 * c.kv_heads) * c.head_dim;
    const at::Tensor borders = at::tensor({0, 4, 4, 5, 23}, at::kInt), positions = at::arange(tokens, at::kLong) % 7;
    const at::Tensor cos = random({30, c.half}, 8, at::kFloat), sin = random({30, c.half}, 9, at::kFloat);
    for (const bool back : {false, true}) {
      compare({input({tokens, columns}, 1), input({tokens, columns}, 2)},
              [&](bool cuda, const std::vector<at::Tensor>& t) {
                RotaryArguments a;
                a.type = element_type(t[0]), a.back = back, a.tokens = tokens, a.kv_heads = c.kv_heads,
                a.per_group = c.per_group;
                a.head_dim = c.head_dim, a.rotary_half = c.half, a.table_rows = 30;
                a.cos = cos.data_ptr<float>(), a.sin = sin.data_ptr<float>();
                a.positions = c.positions ? positions.data_ptr<int64_t>() : nullptr;
                a.borders = borders.data_ptr<int32_t>(), a.documents = 4;
                const at::Tensor apart = t[1].view({tokens, heads + 2 * c.kv_heads, c.head_dim});
                a.qkv = t[0].data_ptr(), a.q = apart.data_ptr(), a.k = apart.narrow(1, heads, c.kv_heads).data_ptr();
                a.v = apart.narrow(1, heads + c.kv_heads, c.kv_heads).data_ptr();
                a.q_stride = a.k_stride = a.v_stride = columns;
                cuda ? cuda::rotary(a, nullptr) : cpu::rotary(a);
              });
    }
  }
}

TEST(Emulation, AttentionDropout) {
  for (const int64_t first_token : {int64_t{0}, int64_t{6}, (int64_t{1} << 31) + 3}) {
    const int64_t heads = 3, queries = 5, keys = 11, query = 9, key = 2;
    const DropoutKey name{7, "site", dropout_place(0, 0), 1};
    const AttentionDropout dropout(0.3, name, 1, heads);
    const at::Tensor expected = at::empty({heads, queries, keys}), own = at::empty({heads, queries, keys});
    AttentionDropoutArguments a;
    a.heads = heads, a.queries = queries, a.keys = keys, a.place = name.place.const_data_ptr<int64_t>();
    for (int64_t head = 0; head < heads; ++head) {
      a.streams[head] = RandomStream(7, "site.head" + std::to_string(1 + head)).key();
    }
    a.first_query = 1 + query, a.first_key = 1 + key;
    a.threshold = static_cast<uint32_t>(std::ceil(0.3F * 0x1p24F)), a.scale = 1 / (1 - 0.3F);
    a.multipliers = own.data_ptr<float>();
    for (const int64_t step : {4, 5}) {  // the same arguments, and other numbers in memory
      name.place.copy_(dropout_place(step, first_token + step));
      for (int64_t row = 0; row < heads * queries; ++row) {
        dropout.multipliers(row / queries, query + row % queries, key, keys, expected.data_ptr<float>() + row * keys);
      }
      dropout.fill(query, key, own);
      EXPECT_TRUE(at::equal(own, expected));
      own.zero_();
      cuda::attention_dropout(a, nullptr);
      EXPECT_TRUE(at::equal(own, expected));
    }
  }
}

TEST(Emulation, AdamW) {
  for (const int64_t count : {1, 1030}) {
    const auto run = [&](bool cuda) {
      const at::Tensor master = random({count}, 1, at::kFloat), grad = random({count}, 2, at::kFloat);
      const at::Tensor moment1 = random({count}, 3, at::kFloat), moment2 = random({count}, 4, at::kFloat).abs();
      const at::Tensor model = at::zeros({count}, at::kBFloat16);
      const double scale = 0.5;
      AdamWArguments a;
      a.count = count, a.master = master.data_ptr<float>(), a.moment1 = moment1.data_ptr<float>();
      a.moment2 = moment2.data_ptr<float>(), a.grad = grad.data_ptr<float>(), a.model = model.data_ptr();
      a.zero_grad = true, a.grad_scale = &scale, a.one_minus_beta1 = 0.1F, a.beta2 = 0.95F, a.one_minus_beta2 = 0.05F;
      a.decay = 0.999F, a.step_size = 1e-3F, a.inverse_root_correction = 1.3F, a.eps = 1e-8F;
      cuda ? cuda::adamw(a, nullptr) : cpu::adamw(a);
      return at::cat({master, moment1, moment2, grad, model.to(at::kFloat)});
    };
    EXPECT_TRUE(at::allclose(run(true), run(false), 1e-6, 1e-7));
  }
}

TEST(Emulation, SquaredNorm) {
  for (const int64_t count : {1, 1030, 70000}) {
    const at::Tensor x = random({count}, 1, at::kFloat);
    const at::Tensor partials = at::zeros({(count + kNormChunk - 1) / kNormChunk}, at::kDouble);
    double sum = 3;
    cuda::squared_norm({count, x.data_ptr<float>(), partials.data_ptr<double>(), &sum}, nullptr);
    EXPECT_NEAR(sum - 3, x.to(at::kDouble).square().sum().item<double>(), 1e-9 * count);
  }
}

TEST(Emulation, ChecksReportTheFirstFaultOnce) {
  const at::Tensor values = at::tensor({3, 12, -1, 5}, at::kLong), weights = at::tensor({1.0F, 0.0F, 2.0F, 1.0F});
  const auto check = [&](int64_t limit) {
    cuda::check_indices({Fault::label, 4, values.data_ptr<int64_t>(), limit, weights.data_ptr<float>()}, nullptr);
  };
  check(12);
  try {
    cuda::throw_faults();
    FAIL();
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("label of token 2 of the batch is -1,"), std::string::npos)
        << error.what();
  }
  EXPECT_NO_THROW(cuda::throw_faults());
  const float one = 1, two = 2;
  cuda::check_unit({&one}, nullptr);
  EXPECT_NO_THROW(cuda::throw_faults());
  cuda::check_unit({&two}, nullptr);
  EXPECT_THROW(cuda::throw_faults(), InternalError);
}

INSTANTIATE_TEST_SUITE_P(Types, Emulated, testing::Values(at::kFloat, at::kBFloat16, at::kDouble),
                         [](const auto& info) { return std::string(c10::toString(info.param)); });

}  // namespace
}  // namespace longhaul::ops
