// How near the pointwise operators come to the speed of memory: for each, the bytes that it has to move
// (every tensor once) over its best time, beside the rate at which the same threads copy an equally large
// working set.
//
//   ops_bench [threads]        columns: GB/s, and its ratio to the copy's
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <string>

#include "longhaul/ops/activation.h"
#include "longhaul/ops/adamw.h"
#include "longhaul/ops/dropout.h"
#include "longhaul/ops/embedding.h"
#include "longhaul/ops/host_memory.h"
#include "longhaul/ops/norm.h"

namespace longhaul::ops {
namespace {

constexpr int64_t kTokens = 2048;

double best_seconds(const std::function<void()>& function) {
  double best = std::numeric_limits<double>::infinity();
  for (int repeat = 0; repeat < 60; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    function();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

// Bytes per second, read and written, of a copy whose source and target together have that size.
double copy_rate(int64_t bytes) {
  const at::Tensor from = at::zeros({bytes / 2}, at::kByte), to = at::zeros({bytes / 2}, at::kByte);
  const double seconds = best_seconds([&] {
    at::parallel_for(0, bytes / 2, 65536, [&](int64_t begin, int64_t end) {
      std::memcpy(to.mutable_data_ptr<uint8_t>() + begin, from.const_data_ptr<uint8_t>() + begin, end - begin);
    });
  });
  return static_cast<double>(bytes) / seconds;
}

void report(const char* name, int64_t columns, at::ScalarType type, double bytes, double seconds) {
  const double rate = bytes / seconds;
  fmt::print("{:28} {:5} {:8} {:8.1f} us {:7.1f} GB/s {:6.2f}\n", name, columns, c10::toString(type), seconds * 1e6,
             rate * 1e-9, rate / copy_rate(static_cast<int64_t>(bytes)));
}

// Forward and backward of a differentiable operator; `forward` and `backward` are the elements that each
// moves.
void measure(const char* name, int64_t columns, const at::Tensor& x, double forward, double backward,
             const std::function<at::Tensor()>& function) {
  const double size = static_cast<double>(x.element_size());
  at::Tensor y = function();
  report(name, columns, x.scalar_type(), forward * size, best_seconds([&] { function(); }));
  const at::Tensor dy = at::randn(y.sizes(), y.options().requires_grad(false));
  report((std::string(name) + " backward").c_str(), columns, x.scalar_type(), backward * size, best_seconds([&] {
           x.mutable_grad() = at::Tensor();
           torch::autograd::backward({y}, {dy}, /*retain_graph=*/true);
         }));
}

at::Tensor input(int64_t rows, int64_t columns, at::ScalarType type) {
  return at::randn({rows, columns}, at::kFloat).to(type).requires_grad_(true);
}

void measure_all(int64_t h, at::ScalarType type) {
  const double n = static_cast<double>(kTokens * h);
  const at::Tensor x = input(kTokens, h, type), gate_up = input(kTokens, 2 * h, type);
  const at::Tensor residual = at::randn({kTokens, h}, at::kFloat).to(type);
  const Weight weight{at::randn({h}, at::kFloat).to(type).requires_grad_(true), at::zeros({h}, at::kFloat)};
  const Weight bias{at::randn({h}, at::kFloat).to(type).requires_grad_(true), at::zeros({h}, at::kFloat)};
  const NormOptions layer_norm{true, 1e-5, false};
  measure("rms_norm", h, x, 2 * n, 3 * n, [&] { return norm(x, weight, {}, {}); });
  measure("layer_norm", h, x, 2 * n, 3 * n, [&] { return norm(x, weight, bias, layer_norm); });
  measure("residual_rms_norm", h, x, 4 * n, 3 * n, [&] { return residual_norm(x, residual, weight, {}, {}).second; });
  measure("swiglu", h, gate_up, 3 * n, 5 * n, [&] { return gated_activation(gate_up, Activation::silu); });
  measure("geglu_erf", h, gate_up, 3 * n, 5 * n, [&] { return gated_activation(gate_up, Activation::gelu_erf); });
  measure("gelu_tanh + bias", h, x, 2 * n, 3 * n, [&] { return activation(x, bias, Activation::gelu_tanh); });
  measure("squared_relu", h, x, 2 * n, 3 * n, [&] { return activation(x, {}, Activation::squared_relu); });
  const DropoutKey mask{1, "bench", dropout_place(2, 3)};
  measure("dropout", h, x, 2 * n, 2 * n, [&] { return dropout(x, 0.1, mask); });

  const at::Tensor ids = (at::randn({kTokens}, at::kFloat).abs() * 8000).clamp_max(31999).to(at::kLong);
  const Weight table{input(32000, h, type), at::zeros({32000, h}, at::kFloat)};
  const double size = static_cast<double>(x.element_size());
  const at::Tensor y = ops::embedding(ids, table), dy = at::randn(y.sizes(), at::kFloat).to(type);
  report("embedding", h, type, 2 * n * size, best_seconds([&] { ops::embedding(ids, table); }));
  report("embedding backward", h, type, n * (size + 8),
         best_seconds([&] { torch::autograd::backward({y}, {dy}, true); }));
}

void measure_adamw() {
  const int64_t count = 4 << 20;
  const at::Tensor master = at::randn({count}, at::kFloat), m = at::zeros({count}, at::kFloat);
  const at::Tensor v = at::zeros({count}, at::kFloat), grad = at::randn({count}, at::kFloat);
  const at::Tensor model = master.to(at::kBFloat16);
  report("adamw, bf16 copy", count >> 20, at::kFloat, 34.0 * count,
         best_seconds([&] { adamw_step(master, m, v, grad, model, {}, true); }));
  report("adamw", count >> 20, at::kFloat, 28.0 * count,
         best_seconds([&] { adamw_step(master, m, v, grad, {}, {}, false); }));
  const at::Tensor square = at::zeros({1}, at::kDouble);
  report("squared_norm", count >> 20, at::kFloat, 4.0 * count, best_seconds([&] { add_squared_norm(master, square); }));
}

}  // namespace
}  // namespace longhaul::ops

int main(int argc, char** argv) {
  longhaul::ops::keep_host_memory();
  if (argc > 1) at::set_num_threads(std::atoi(argv[1]));
  fmt::print("{} threads, {} tokens\n", at::get_num_threads(), longhaul::ops::kTokens);
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    for (const int64_t hidden : {512, 2816}) longhaul::ops::measure_all(hidden, type);
  }
  longhaul::ops::measure_adamw();
  return 0;
}
