// Softmax cross-entropy on CUDA, a thread block a row. The first pass keeps, a thread, the greatest logit so
// far and the sum of exponentials relative to it; the second writes the gradient, from the row's end to its
// beginning, whose end the L2 cache still holds.
#include <cfloat>

#include "ops/cross_entropy_kernels.h"
#include "ops/cuda_elements.cuh"

namespace longhaul::ops::cuda {
namespace {

constexpr int kThreads = 512;

template <typename A>
constexpr A kLowest = std::is_same_v<A, double> ? A(-DBL_MAX) : A(-FLT_MAX);

// Σ exp(logit - top); no logits: the lowest number and 0.
template <typename A>
struct TopAndSum {
  A top = kLowest<A>;
  A sum = 0;
};

template <typename A>
__device__ TopAndSum<A> merge(TopAndSum<A> a, TopAndSum<A> b) {
  const A top = a.top > b.top ? a.top : b.top;
  const auto part = [top](TopAndSum<A> x) { return x.top == top ? x.sum : x.sum * exp(x.top - top); };
  return {top, part(a) + part(b)};
}

// Of all threads, the same in each.
template <typename A>
__device__ TopAndSum<A> merge_block(TopAndSum<A> own) {
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    own = merge(own,
                TopAndSum<A>{__shfl_xor_sync(0xffffffff, own.top, lanes), __shfl_xor_sync(0xffffffff, own.sum, lanes)});
  }
  __shared__ A tops[kThreads / 32], sums[kThreads / 32];
  if (threadIdx.x % 32 == 0) {
    tops[threadIdx.x / 32] = own.top;
    sums[threadIdx.x / 32] = own.sum;
  }
  __syncthreads();
  TopAndSum<A> all;
  for (int warp = 0; warp < kThreads / 32; ++warp) all = merge(all, TopAndSum<A>{tops[warp], sums[warp]});
  return all;
}

template <typename A>
__device__ A capped(A logit, A cap) {
  return cap > A(0) ? cap * tanh(logit / cap) : logit;
}

template <typename A, int N>
__device__ TopAndSum<A> top_and_sum(const A* logits, int64_t classes, A cap) {
  TopAndSum<A> own;
#pragma unroll 4
  for (int64_t i = int64_t{threadIdx.x} * N; i < classes; i += kThreads * N) {
    Pack<A, N> x = load<N>(logits, i);
    A top = own.top;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      if (i + k >= classes) break;
      x.values[k] = capped(x.values[k], cap);
      top = x.values[k] > top ? x.values[k] : top;
    }
    if (top > own.top) {
      own.sum *= exp(own.top - top);
      own.top = top;
    }
#pragma unroll
    for (int k = 0; k < N; ++k) {
      if (i + k < classes) own.sum += exp(x.values[k] - top);
    }
  }
  return merge_block(own);
}

// gradient[i] = (exp(logit[i] - top) · factor - [i = label] · weight) · slope of the cap. A step's logits are
// all read before its gradients are written, and those lie above all logits that are still to be read
// (cross_entropy_kernels.h).
template <typename T, int N>
__device__ void write_gradient(const Compute<T>* logits, T* gradient, int64_t classes, int64_t label, Compute<T> cap,
                               Compute<T> top, Compute<T> factor, Compute<T> weight) {
  using A = Compute<T>;
  constexpr int64_t kStep = kThreads * N;
  const int64_t last = (classes - 1) / kStep * kStep;
  const auto load_step = [&](int64_t begin) {
    const int64_t i = begin + threadIdx.x * N;
    return begin >= 0 && i < classes ? load<N>(logits, i) : Pack<A, N>{};
  };
  Pack<A, N> next = load_step(last);
  for (int64_t begin = last; begin >= 0; begin -= kStep) {
    const Pack<A, N> x = next;
    next = load_step(begin - kStep);
    __syncthreads();
    const int64_t i = begin + threadIdx.x * N;
    if (i >= classes) continue;
    Pack<T, N> out;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const A logit = capped(x.values[k], cap);
      A d = exp(logit - top) * factor;
      if (i + k == label) d -= weight;
      if (cap > A(0)) d *= A(1) - logit / cap * (logit / cap);
      out.values[k] = narrow<T>(d);
    }
    store<N>(gradient, i, out);
  }
}

template <typename T, int N>
__global__ void __launch_bounds__(kThreads) rows_kernel(const CrossEntropyArguments a) {
  using A = Compute<T>;
  const int64_t row = blockIdx.x, classes = a.classes, label = a.labels[row];
  const A* const logits = static_cast<const A*>(a.logits) + row * a.row_stride;
  T* const gradient = a.gradient ? static_cast<T*>(a.gradient) + row * a.gradient_stride : nullptr;
  const bool label_here = label >= 0 && label < classes, first = threadIdx.x == 0;
  const A cap = static_cast<A>(a.logit_softcap), z_loss = static_cast<A>(a.z_loss);
  const A weight = a.pass == CrossEntropyPass::statistics ? A(1) : static_cast<const A*>(a.weights)[row];
  if (weight == A(0)) {
    if (first) static_cast<A*>(a.losses)[row] = static_cast<A*>(a.weighted)[row] = 0;
    for (int64_t i = int64_t{threadIdx.x} * N; gradient && i < classes; i += kThreads * N) {
      store<N>(gradient, i, Pack<T, N>{});
    }
    return;
  }
  TopAndSum<A> all;
  A label_logit;
  if (a.pass == CrossEntropyPass::finish) {
    all = {static_cast<const A*>(a.top)[row], static_cast<const A*>(a.sum)[row]};
    label_logit = static_cast<const A*>(a.label_logit)[row];
  } else {
    label_logit = label_here ? capped(logits[label], cap) : A(0);
    all = top_and_sum<A, N>(logits, classes, cap);
    if (a.pass == CrossEntropyPass::statistics) {
      if (!first) return;
      static_cast<A*>(a.top)[row] = all.top;
      static_cast<A*>(a.sum)[row] = all.sum;
      static_cast<A*>(a.label_logit)[row] = label_logit;
      return;
    }
  }
  const A lse = all.top + log(all.sum), loss = lse - label_logit;
  if (first) {
    static_cast<A*>(a.losses)[row] = loss;
    static_cast<A*>(a.weighted)[row] = weight * (loss + z_loss * lse * lse);
  }
  if (gradient && classes > 0) {
    const A factor = weight * (A(1) + A(2) * z_loss * lse) / all.sum;
    write_gradient<T, N>(logits, gradient, classes, label, cap, all.top, factor, weight);
  }
}

}  // namespace

void cross_entropy_rows(const CrossEntropyArguments& a, void* stream) {
  if (a.rows == 0) return;
  with_element_type(a.type, [&](auto element) {
    using T = decltype(element);
    using A = Compute<T>;
    constexpr int N = kFullPack<A>;  // the last pack may reach beyond the classes, not beyond the row's stride
    const unsigned grid = static_cast<unsigned>(a.rows);
    if (packs_fit<A, N>(a.row_stride, {a.logits}) && packs_fit<T, N>(a.gradient_stride, {a.gradient})) {
      start("cross_entropy_rows", rows_kernel<T, N>, grid, kThreads, 0, stream, a);
    } else {
      start("cross_entropy_rows", rows_kernel<T, 1>, grid, kThreads, 0, stream, a);
    }
  });
}

}  // namespace longhaul::ops::cuda
