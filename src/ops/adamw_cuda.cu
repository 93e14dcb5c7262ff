// AdamW and the squared norm on CUDA: every number is read once and written once.
#include "ops/adamw_kernels.h"
#include "ops/cuda_elements.cuh"

namespace longhaul::ops::cuda {
namespace {

constexpr int kThreads = 256;

template <int N>
__global__ void adamw_kernel(const AdamWArguments a) {
  const float grad_scale = a.grad_scale ? static_cast<float>(*a.grad_scale) : 1.0F;
  if (!isfinite(grad_scale)) return;
  const int64_t stride = int64_t{gridDim.x} * kThreads * N;
  for (int64_t i = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * N; i < a.count; i += stride) {
    Pack<float, N> master = load<N>(a.master, i), grad = load<N>(a.grad, i);
    Pack<float, N> moment1 = load<N>(a.moment1, i), moment2 = load<N>(a.moment2, i);
    Pack<__nv_bfloat16, N> model;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const float g = grad.values[k] * grad_scale;
      const float m = moment1.values[k] + (g - moment1.values[k]) * a.one_minus_beta1;
      const float v = moment2.values[k] * a.beta2 + g * g * a.one_minus_beta2;
      const float denominator = sqrtf(v) * a.inverse_root_correction + a.eps;
      const float w = master.values[k] * a.decay - a.step_size * (m / denominator);
      moment1.values[k] = m;
      moment2.values[k] = v;
      master.values[k] = w;
      model.values[k] = narrow<__nv_bfloat16>(w);
    }
    store<N>(a.moment1, i, moment1);
    store<N>(a.moment2, i, moment2);
    store<N>(a.master, i, master);
    if (a.model) store<N>(static_cast<__nv_bfloat16*>(a.model), i, model);
    if (a.zero_grad) store<N>(a.grad, i, Pack<float, N>{});
  }
}

// A thread block per chunk; a thread's sum, then the tree over the block, always in the same order.
template <int N>
__global__ void squared_norm_kernel(const SquaredNormArguments a) {
  const int64_t begin = int64_t{blockIdx.x} * kNormChunk;
  const int64_t end = begin + kNormChunk < a.count ? begin + kNormChunk : a.count;
  double total = 0;
#pragma unroll 4
  for (int64_t i = begin + threadIdx.x * N; i < end; i += kThreads * N) {
    const Pack<float, N> x = load<N>(a.x, i);
#pragma unroll
    for (int k = 0; k < N; ++k) total += static_cast<double>(x.values[k]) * x.values[k];
  }
  total = row_sum(total);
  if (threadIdx.x == 0) a.partials[blockIdx.x] = total;
}

// One thread block.
__global__ void add_chunks_kernel(const SquaredNormArguments a, int64_t chunks) {
  double total = 0;
  for (int64_t chunk = threadIdx.x; chunk < chunks; chunk += kThreads) total += a.partials[chunk];
  total = row_sum(total);
  if (threadIdx.x == 0) *a.sum += total;
}

}  // namespace

void adamw(const AdamWArguments& a, void* stream) {
  const bool packs = packs_fit<float, 4>(a.count, {a.master, a.moment1, a.moment2, a.grad}) &&
                     packs_fit<__nv_bfloat16, 4>(a.count, {a.model});
  const int64_t wanted = (a.count / (packs ? 4 : 1) + kThreads - 1) / kThreads;
  const unsigned grid = static_cast<unsigned>(wanted < (1 << 20) ? wanted : (1 << 20));
  if (packs) {
    start("adamw", adamw_kernel<4>, grid, kThreads, 0, stream, a);
  } else {
    start("adamw", adamw_kernel<1>, grid, kThreads, 0, stream, a);
  }
}

void squared_norm(const SquaredNormArguments& a, void* stream) {
  const unsigned grid = static_cast<unsigned>((a.count + kNormChunk - 1) / kNormChunk);
  if (packs_fit<float, 4>(a.count, {a.x})) {
    start("squared_norm", squared_norm_kernel<4>, grid, kThreads, 0, stream, a);
  } else {
    start("squared_norm", squared_norm_kernel<1>, grid, kThreads, 0, stream, a);
  }
  start("squared_norm", add_chunks_kernel, 1, kThreads, 0, stream, a, int64_t{grid});
}

}  // namespace longhaul::ops::cuda
