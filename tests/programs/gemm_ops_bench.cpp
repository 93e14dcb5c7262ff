// Times of the GEMM-based operators at the shapes of a small model, beside LibTorch's own operators:
//   gemm_ops_bench [gemm|attention|loss]...
// Every number is the least of several runs. On a busy machine set OMP_NUM_THREADS=1.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <fmt/core.h>
#include <torch/csrc/autograd/autograd.h>

#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "longhaul/ops/attention.h"
#include "longhaul/ops/linear.h"
#include "longhaul/ops/linear_cross_entropy.h"
#include "ops/gemm.h"

namespace {

using namespace longhaul::ops;

constexpr int64_t kTokens = 2048, kHidden = 512, kHeads = 8, kKvHeads = 4, kHeadDim = 64, kFfn = 1408, kVocab = 8192;
constexpr int64_t kSequence = 512;

// Wall time; with one thread its CPU time, which other programs on the machine don't add to.
double now() {
  timespec time{};
  clock_gettime(at::get_num_threads() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double seconds(const std::function<void()>& work, int repetitions = 25) {
  work();
  double least = 1e9;
  for (int i = 0; i < repetitions; ++i) {
    const double start = now();
    work();
    least = std::min(least, now() - start);
  }
  return least;
}

const char* name(at::ScalarType type) {
  return type == at::kFloat ? "fp32" : "bf16";
}

void line(const std::string& what, double flops, double ours, double theirs) {
  fmt::print("{:42} {:8.3f} ms {:7.1f} GFLOP/s | torch {:8.3f} ms {:7.1f} GFLOP/s | {:.2f}x\n", what, ours * 1e3,
             flops / ours * 1e-9, theirs * 1e3, flops / theirs * 1e-9, theirs / ours);
}

void bench_gemm(at::ScalarType type) {
  struct Layer {
    const char* name;
    int64_t in, out;
  };
  for (const Layer& l : {Layer{"qkv", kHidden, (kHeads + 2 * kKvHeads) * kHeadDim}, Layer{"proj", kHidden, kHidden},
                         Layer{"gate_up", kHidden, 2 * kFfn}, Layer{"down", kFfn, kHidden}}) {
    const at::Tensor x = at::randn({kTokens, l.in}).to(type), w = at::randn({l.out, l.in}).to(type);
    const at::Tensor dy = at::randn({kTokens, l.out}).to(type), main_grad = at::zeros({l.out, l.in});
    at::Tensor y = at::empty_like(dy), dx = at::empty_like(x), dw = at::empty_like(w);
    const double flops = 2.0 * kTokens * l.in * l.out;
    line(fmt::format("{} {} forward", name(type), l.name), flops, seconds([&] { gemm(x, w.t(), y); }),
         seconds([&] { at::mm_out(y, x, w.t()); }));
    line(fmt::format("{} {} dgrad", name(type), l.name), flops, seconds([&] { gemm(dy, w, dx); }),
         seconds([&] { at::mm_out(dx, dy, w); }));
    line(fmt::format("{} {} wgrad into main_grad", name(type), l.name), flops,
         seconds([&] { gemm(dy.t(), x, main_grad, GemmMode::accumulate); }), seconds([&] {
           at::mm_out(dw, dy.t(), x);
           main_grad.add_(dw);
         }));
  }
}

void bench_attention(at::ScalarType type) {
  const int64_t batch = kTokens / kSequence;
  AttentionOptions options;
  options.heads = kHeads;
  options.kv_heads = kKvHeads;
  options.head_dim = kHeadDim;
  for (int64_t i = 0; i <= batch; ++i) options.cu_seqlens.push_back(static_cast<int32_t>(i * kSequence));
  options.rope = make_rope_table(rope_inverse_frequencies(kHeadDim, 1e4), kSequence);
  const at::Tensor qkv = at::randn({kTokens, (kHeads + 2 * kKvHeads) * kHeadDim}).to(type).requires_grad_();
  const at::Tensor dout = at::randn({kTokens, kHeads * kHeadDim}).to(type);
  const auto torch_inputs = [&](int64_t heads) {
    return at::randn({batch, heads, kSequence, kHeadDim}).to(type).requires_grad_();
  };
  const at::Tensor q = torch_inputs(kHeads), k = torch_inputs(kKvHeads), v = torch_inputs(kKvHeads);
  const at::Tensor dout4 = at::randn_like(q);
  // Ours includes the rotary embedding and the layout of the linears; theirs has neither.
  const auto sdpa = [&] { return at::scaled_dot_product_attention(q, k, v, {}, 0, true, std::nullopt, true); };
  const double flops = 4.0 * batch * kHeads * kHeadDim * kSequence * (kSequence + 1) / 2;
  {
    const c10::NoGradGuard guard;
    line(fmt::format("{} attention forward", name(type)), flops, seconds([&] { attention(qkv, options); }),
         seconds(sdpa));
  }
  line(fmt::format("{} attention forward + backward", name(type)), 3.5 * flops,
       seconds([&] { torch::autograd::grad({attention(qkv, options)}, {qkv}, {dout}); }), seconds([&] {
         torch::autograd::grad({sdpa()}, {q, k, v}, {dout4});
       }));
}

void bench_loss(at::ScalarType type) {
  const int64_t chunk_tokens = getenv("CT") ? atoi(getenv("CT")) : 0;
  const at::Tensor hidden = at::randn({kTokens, kHidden}).to(type).requires_grad_();
  const at::Tensor w = (at::randn({kVocab, kHidden}) * 0.02).to(type).requires_grad_();
  const at::Tensor main_grad = at::zeros({kVocab, kHidden});
  const at::Tensor labels = at::randint(kVocab, {kTokens}, at::kLong), weights = at::full({kTokens}, 1.0 / kTokens);
  const double flops = 6.0 * kTokens * kHidden * kVocab;
  const auto ours = [&] {
    linear_cross_entropy(hidden, {w, main_grad}, labels, weights, {.chunk_tokens = chunk_tokens, .unit_gradient = true})
        .loss.backward();
  };
  const auto torch_loss = [&] {
    const at::Tensor logits = at::matmul(hidden, w.t()).to(at::kFloat);
    torch::autograd::grad({at::cross_entropy_loss(logits, labels)}, {hidden, w});
  };
  line(fmt::format("{} output layer and loss, fwd + bwd", name(type)), flops, seconds(ours, 8), seconds(torch_loss, 8));
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> parts(argv + 1, argv + argc);
  if (parts.empty()) parts = {"gemm", "attention", "loss"};
  fmt::print("{} threads\n", at::get_num_threads());
  for (const std::string& part : parts) {
    for (const auto type : {at::kFloat, at::kBFloat16}) {
      if (part == "gemm") bench_gemm(type);
      if (part == "attention") bench_attention(type);
      if (part == "loss") bench_loss(type);
    }
  }
}
