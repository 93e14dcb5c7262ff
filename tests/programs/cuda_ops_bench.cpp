// How near the operators come to what the GPU can do, at the shapes of a model of about a billion parameters
// (Llama-3.2-1B): the bytes that each has to move against the rate of a large copy, or the floating-point
// operations against the rate of the fastest large product.
//
//   cuda_ops_bench [--tokens N] [--json FILE]
//
// FILE: {"copy_bytes_per_second", "matmul_flops_per_second", "tokens", "kernels": [{"name", "seconds",
// "bytes" or "flops", "share"}]}. Without a GPU the program says so and exits with 2.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "longhaul/core/error.h"
#include "longhaul/ops/activation.h"
#include "longhaul/ops/adamw.h"
#include "longhaul/ops/device.h"
#include "longhaul/ops/dropout.h"
#include "longhaul/ops/embedding.h"
#include "longhaul/ops/cross_entropy_chunk.h"
#include "longhaul/ops/linear_cross_entropy.h"
#include "longhaul/ops/norm.h"
#include "ops/attention_apart.h"
#include "ops/cross_entropy_rows.h"
#include "ops/gemm.h"
#include "ops/gemm_gelu.h"
#include "ops/timed_choice.h"

namespace longhaul::ops {
namespace {

constexpr int64_t kHidden = 2048, kFfn = 8192, kHeads = 32, kKvHeads = 8, kHeadDim = 64, kVocab = 128256,
                  kSequence = 2048;
constexpr int kBack = 10;  // runs one after another, so that the GPU never waits for the next launch

const c10::Device kDevice(c10::DeviceType::CUDA, 0);

at::TensorOptions on_gpu(at::ScalarType type) {
  return at::TensorOptions().dtype(type).device(kDevice);
}
at::Tensor random(at::IntArrayRef sizes, at::ScalarType type = at::kBFloat16) {
  return at::randn(sizes, on_gpu(type));
}

double best_seconds(const std::function<void()>& work) {
  double best = std::numeric_limits<double>::infinity();
  for (int repeat = 0; repeat < 3; ++repeat) {
    const double seconds = seconds_on_device(kDevice, [&] {
      for (int run = 0; run < kBack; ++run) work();
    });
    best = std::min(best, seconds / kBack);
  }
  return best;
}

class Report {
 public:
  Report(double copy_rate, double matmul_rate, int64_t tokens) : copy_rate_(copy_rate), matmul_rate_(matmul_rate) {
    json_ = {{"copy_bytes_per_second", copy_rate}, {"matmul_flops_per_second", matmul_rate}, {"tokens", tokens}};
    json_["kernels"] = nlohmann::json::array();
    fmt::print("copy {:.0f} GB/s, product {:.1f} TFLOP/s, {} tokens\n", copy_rate * 1e-9, matmul_rate * 1e-12, tokens);
  }

  void bytes(const std::string& name, double count, const std::function<void()>& work) {
    measure(name, [&] { add(name, "bytes", count, copy_rate_, "GB/s", 1e-9, best_seconds(work)); });
  }
  void flops(const std::string& name, double count, const std::function<void()>& work) {
    measure(name, [&] { add(name, "flops", count, matmul_rate_, "TFLOP/s", 1e-12, best_seconds(work)); });
  }
  // What fails is told, and the rest goes on.
  void measure(const std::string& name, const std::function<void()>& work) {
    try {
      work();
    } catch (const std::exception& error) {
      fmt::print("{:34} failed: {}\n", name, error.what());
      json_["kernels"].push_back({{"name", name}, {"error", error.what()}});
    }
  }

  // The forward without autograd and the backward, which move so many bytes.
  void operation(const std::string& name, double forward, double backward, const std::function<at::Tensor()>& function,
                 const at::Tensor& leaf) {
    {
      const c10::NoGradGuard guard;
      bytes(name, forward, [&] { function(); });
    }
    const at::Tensor y = function(), dy = at::randn_like(y);
    bytes(name + " backward", backward,
          [&] { torch::autograd::grad({y}, {leaf}, {dy}, true, false, /*allow_unused=*/true); });
  }

  const nlohmann::json& json() const { return json_; }

 private:
  void add(const std::string& name, const char* what, double count, double roof, const char* unit, double scale,
           double seconds) {
    const double rate = count / seconds;
    fmt::print("{:34} {:9.1f} us {:8.1f} {:8} {:5.1f} %\n", name, seconds * 1e6, rate * scale, unit, 100 * rate / roof);
    json_["kernels"].push_back({{"name", name}, {"seconds", seconds}, {what, count}, {"share", rate / roof}});
  }

  double copy_rate_, matmul_rate_;
  nlohmann::json json_;
};

double copy_rate() {
  const at::Tensor from = at::zeros({int64_t{1} << 30}, on_gpu(at::kByte)), to = at::empty_like(from);
  return 2.0 * static_cast<double>(from.numel()) / best_seconds([&] { at::Tensor(to).copy_(from); });
}

double matmul_rate() {
  double best = 0;
  for (const int64_t n : {4096, 8192}) {
    const at::Tensor a = random({n, n}), b = random({n, n}), out = at::empty_like(a);
    best = std::max(best, 2.0 * static_cast<double>(n * n * n) / best_seconds([&] { gemm(a, b.t(), out); }));
  }
  return best;
}

Weight weight(at::IntArrayRef sizes) {
  return {random(sizes).requires_grad_(), at::zeros(sizes, on_gpu(at::kFloat))};
}

void pointwise(Report& report, int64_t tokens) {
  const double n = 2.0 * static_cast<double>(tokens * kHidden),
               f = 2.0 * static_cast<double>(tokens * kFfn);  // bytes
  const at::Tensor x = random({tokens, kHidden}).requires_grad_(), residual = random({tokens, kHidden});
  const Weight w = weight({kHidden}), b = weight({kHidden});
  const NormOptions layer_norm{true, 1e-5, false};
  report.operation(
      "rms_norm", 2 * n, 3 * n, [&] { return norm(x, w, {}, {}); }, x);
  report.operation(
      "layer_norm", 2 * n, 3 * n, [&] { return norm(x, w, b, layer_norm); }, x);
  report.operation(
      "residual_rms_norm", 4 * n, 3 * n, [&] { return residual_norm(x, residual, w, {}, {}).second; }, x);
  const at::Tensor gate_up = random({tokens, 2 * kFfn}).requires_grad_(),
                   inner = random({tokens, kFfn}).requires_grad_();
  const Weight inner_bias = weight({kFfn});
  report.operation(
      "swiglu", 3 * f, 5 * f, [&] { return gated_activation(gate_up, Activation::silu); }, gate_up);
  report.operation(
      "gelu_tanh and bias", 2 * f, 3 * f, [&] { return activation(inner, inner_bias, Activation::gelu_tanh); }, inner);
  report.operation(
      "squared_relu", 2 * f, 3 * f, [&] { return activation(inner, {}, Activation::squared_relu); }, inner);
  const DropoutKey mask{1, "bench", dropout_place(2, 3, x.device())};
  report.operation(
      "dropout", 2 * n, 2 * n, [&] { return dropout(x, 0.1, mask); }, x);
  const at::Tensor ids = (random({tokens}, at::kFloat).abs() * 20000).clamp_max(kVocab - 1).to(at::kLong);
  const Weight table = weight({kVocab, kHidden});
  report.operation(
      "embedding", 2 * n, 5 * n, [&] { return ops::embedding(ids, table); }, table.value);
}

void optimizer(Report& report) {
  const int64_t count = int64_t{256} << 20;
  const at::Tensor master = random({count}, at::kFloat), m = at::zeros_like(master), v = at::zeros_like(master);
  const at::Tensor grad = at::zeros_like(master), model = master.to(at::kBFloat16);
  const at::Tensor square = at::zeros({1}, on_gpu(at::kDouble));
  report.bytes("adamw", 34.0 * count, [&] { adamw_step(master, m, v, grad, model, {}, true); });
  report.bytes("squared_norm", 4.0 * count, [&] { add_squared_norm(grad, square); });
}

void products(Report& report, int64_t tokens) {
  struct Layer {
    const char* name;
    int64_t in, out;
  };
  for (const Layer& l : {Layer{"qkv", kHidden, (kHeads + 2 * kKvHeads) * kHeadDim}, Layer{"proj", kHidden, kHidden},
                         Layer{"gate_up", kHidden, 2 * kFfn}, Layer{"down", kFfn, kHidden}}) {
    const at::Tensor x = random({tokens, l.in}), w = random({l.out, l.in}), dy = random({tokens, l.out});
    const at::Tensor y = at::empty_like(dy), dx = at::empty_like(x), dw = at::zeros({l.out, l.in}, on_gpu(at::kFloat));
    const double flops = 2.0 * static_cast<double>(tokens * l.in * l.out);
    report.flops(fmt::format("{} forward", l.name), flops, [&] { gemm(x, w.t(), y); });
    report.flops(fmt::format("{} input gradient", l.name), flops, [&] { gemm(dy, w, dx); });
    report.flops(fmt::format("{} weight gradient", l.name), flops, [&] { gemm(dy.t(), x, dw, GemmMode::accumulate); });
  }
}

// GPT's MLP at the same sizes, GELU by a kernel of its own and as is measured to be faster.
void products_with_gelu(Report& report, int64_t tokens) {
  const at::Tensor x = random({tokens, kHidden}), up = random({kFfn, kHidden}), bias = random({kFfn});
  const at::Tensor dy = random({tokens, kHidden}), down = random({kHidden, kFfn});
  const at::Tensor pre = random({tokens, kFfn}), other = at::empty_like(pre);
  const at::Tensor dbias = at::zeros({kFfn}, on_gpu(at::kFloat));
  const double flops = 2.0 * static_cast<double>(tokens * kHidden * kFfn);
  report.flops("fc1, GELU apart", flops, [&] { gemm_gelu_apart(x, up.t(), pre, other, bias); });
  report.flops("fc1 with GELU", flops, [&] { gemm_gelu(x, up.t(), pre, other, bias); });
  report.flops("fc2 input gradient, GELU's apart", flops,
               [&] { gemm_gelu_gradient_apart(dy, down, pre, other, dbias); });
  report.flops("fc2 input gradient with GELU's", flops, [&] { gemm_gelu_gradient(dy, down, pre, other, dbias); });
}

// Moves queries, keys and values apart and computes nothing.
AttentionOutputs no_attention(const AttentionInputs& in, const AttentionOptions&, const Documents&) {
  return {at::empty(in.q.sizes(), in.q.options()), {}};
}
AttentionInputs no_gradient(const at::Tensor&, const AttentionInputs& in, const AttentionOutputs&,
                            const AttentionOptions&, const Documents&) {
  return in;
}

void attentions(Report& report, int64_t tokens) {
  AttentionOptions options;
  options.heads = kHeads;
  options.kv_heads = kKvHeads;
  options.head_dim = kHeadDim;
  for (int64_t border = 0; border <= tokens; border += kSequence)
    options.cu_seqlens.push_back(static_cast<int32_t>(border));
  options.rope = make_rope_table(rope_inverse_frequencies(kHeadDim, 5e5), kSequence, kDevice);
  const at::Tensor qkv = random({tokens, (kHeads + 2 * kKvHeads) * kHeadDim}).requires_grad_();
  const double moved = 2.0 * 2 * static_cast<double>(qkv.numel());
  report.operation(
      "rotary", moved, moved,
      [&] {
        return attention_apart(qkv, options, {no_attention, no_gradient});
      },
      qkv);
  // Of the lower triangle: two products forward, five backward.
  const double product = 2.0 * static_cast<double>(tokens * kHeads * kHeadDim * (kSequence + 1) / 2);
  const at::Tensor dout = random({tokens, kHeads * kHeadDim});
  const auto measure = [&](const std::string& name, const AttentionCore& core) {
    {
      const c10::NoGradGuard guard;
      report.flops(name + " forward", 2 * product, [&] { attention_apart(qkv, options, core); });
    }
    const at::Tensor out = attention_apart(qkv, options, core);
    report.flops(name + " backward", 5 * product,
                 [&] { torch::autograd::grad({out}, {qkv}, {dout}, /*retain_graph=*/true); });
  };
  measure("FlashAttention", flash_core());
  measure("cuDNN attention", cudnn_core());
}

void losses(Report& report, int64_t tokens) {
  const at::Tensor labels = at::randint(kVocab, {tokens}, on_gpu(at::kLong));
  const at::Tensor weights = at::full({tokens}, 1.0 / static_cast<double>(tokens), on_gpu(at::kFloat));
  const at::Tensor loss = at::empty({tokens}, on_gpu(at::kFloat)), weighted = at::empty_like(loss);
  for (const bool bf16 : {true, false}) {
    const int64_t chunk = std::min(cross_entropy_chunk_tokens(kVocab, /*cuda=*/true, bf16), tokens);
    const at::Tensor logits = random({chunk, kVocab}, bf16 ? at::kBFloat16 : at::kFloat);
    const at::Tensor gradient = bf16 ? logits : gradient_in_place(logits, kVocab);
    // Two readings, of which the second mostly finds BF16 rows in the L2 cache, and a writing in BF16.
    report.bytes(bf16 ? "cross_entropy_rows" : "cross_entropy_rows, FP32 logits",
                 (bf16 ? 4.0 : 10.0) * static_cast<double>(chunk * kVocab), [&] {
                   cross_entropy_rows(logits, labels.narrow(0, 0, chunk), weights.narrow(0, 0, chunk), {}, {},
                                      loss.narrow(0, 0, chunk), weighted.narrow(0, 0, chunk), gradient);
                 });
  }
  const at::Tensor hidden = random({tokens, kHidden}).requires_grad_();
  const Weight head = weight({kVocab, kHidden});
  report.flops("output layer and loss", 6.0 * static_cast<double>(tokens * kHidden * kVocab), [&] {
    const CrossEntropyOptions options{.bf16_logits = true, .unit_gradient = true};
    linear_cross_entropy(hidden, head, labels, weights, options).loss.backward();
  });
}

void run(int64_t tokens, const std::string& json_file) {
  if (!cuda_problem().empty()) throw UserError("cuda_ops_bench wants a GPU. {}", cuda_problem());
  if (tokens < kSequence || tokens % kSequence != 0) throw UserError("--tokens is not a multiple of {}", kSequence);
  Report report(copy_rate(), matmul_rate(), tokens);
  pointwise(report, tokens);
  optimizer(report);
  products(report, tokens);
  products_with_gelu(report, tokens);
  attentions(report, tokens);
  losses(report, tokens);
  if (json_file.empty()) return;
  std::ofstream file(json_file);
  file << report.json().dump(1) << '\n';
  if (!file.flush()) throw EnvironmentError("{} cannot be written", json_file);
}

}  // namespace
}  // namespace longhaul::ops

int main(int argc, char** argv) {
  int64_t tokens = 16384;
  std::string json_file;
  try {
    for (int i = 1; i < argc; ++i) {
      const std::string option = argv[i];
      if (i + 1 == argc || (option != "--tokens" && option != "--json")) {
        throw longhaul::UserError("usage: cuda_ops_bench [--tokens N] [--json FILE]");
      }
      const std::string value = argv[++i];
      option == "--json" ? void(json_file = value) : void(tokens = std::atoll(value.c_str()));
    }
    longhaul::ops::run(tokens, json_file);
  } catch (const longhaul::UserError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
