// Softmax cross-entropy on CUDA, a thread block a row. The first pass keeps, a thread, the greatest logit so far and
// the sum of exponentials relative to it; the second writes the gradient, from the row's end to its beginning, whose
// end the L2 cache still holds. L is the logits' type, T the gradient's, A that of all arithmetic.
#include <cfloat>

#include "ops/cross_entropy_kernels.h"
#include "ops/cuda_elements.cuh"

namespace longhaul::ops::cuda {
namespace {

// A pass handles so many packs of a thread at once: the loads under way that memory wants.
constexpr int kReadPacks = 4, kWritePacks = 2;
constexpr int kMaxWarps = 32;

template <typename A>
constexpr A kLowest = std::is_same_v<A, double> ? A(-DBL_MAX) : A(-FLT_MAX);

// Σ exp(logit - top); no logits: the lowest number and 0.
template <typename A>
struct TopAndSum {
  A top = kLowest<A>;
  A sum = 0;
};

template <typename T, typename A>
__device__ TopAndSum<A> merge(TopAndSum<A> a, TopAndSum<A> b) {
  const A top = a.top > b.top ? a.top : b.top;
  const auto part = [top](TopAndSum<A> x) { return x.top == top ? x.sum : x.sum * exponential<T>(x.top - top); };
  return {top, part(a) + part(b)};
}

// Of all threads, the same in each.
template <typename T, typename A>
__device__ TopAndSum<A> merge_block(TopAndSum<A> own) {
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    own = merge<T>(
        own, TopAndSum<A>{__shfl_xor_sync(0xffffffff, own.top, lanes), __shfl_xor_sync(0xffffffff, own.sum, lanes)});
  }
  __shared__ A tops[kMaxWarps], sums[kMaxWarps];
  if (threadIdx.x % 32 == 0) {
    tops[threadIdx.x / 32] = own.top;
    sums[threadIdx.x / 32] = own.sum;
  }
  __syncthreads();
  TopAndSum<A> all;
  for (int warp = 0; warp < blockDim.x / 32; ++warp) all = merge<T>(all, TopAndSum<A>{tops[warp], sums[warp]});
  return all;
}

template <bool kCapped, typename A>
__device__ A capped(A logit, A cap) {
  return kCapped ? cap * tanh(logit / cap) : logit;
}

// Adds the logits of some packs, the first `count` elements of each.
template <bool kCapped, typename T, int kPacks, int N, typename L, typename A>
__device__ void add_logits(TopAndSum<A>& own, const Pack<L, N> (&packs)[kPacks], int count, A cap) {
  A x[kPacks * N];
  A top = own.top;
#pragma unroll
  for (int i = 0; i < kPacks * N; ++i) {
    x[i] = i % N < count ? capped<kCapped>(widen(packs[i / N].values[i % N]), cap) : kLowest<A>;
    top = x[i] > top ? x[i] : top;
  }
  own.sum *= exponential<T>(own.top - top);
  own.top = top;
#pragma unroll
  for (int i = 0; i < kPacks * N; ++i) own.sum += i % N < count ? exponential<T>(x[i] - top) : A(0);
}

template <bool kCapped, typename T, int N, typename L, typename A>
__device__ TopAndSum<A> top_and_sum(const L* logits, int64_t classes, A cap) {
  TopAndSum<A> own;
  const int64_t stride = int64_t{blockDim.x} * N;
  int64_t i = int64_t{threadIdx.x} * N;
  for (; i + (kReadPacks - 1) * stride + N <= classes; i += kReadPacks * stride) {
    Pack<L, N> packs[kReadPacks];
#pragma unroll
    for (int j = 0; j < kReadPacks; ++j) packs[j] = load<N>(logits, i + j * stride);
    add_logits<kCapped, T>(own, packs, N, cap);
  }
  for (; i < classes; i += stride) {
    const Pack<L, N> pack[1] = {load<N>(logits, i)};
    add_logits<kCapped, T>(own, pack, static_cast<int>(classes - i < N ? classes - i : N), cap);
  }
  return merge_block<T>(own);
}

// gradient[i] = (exp(logit[i] - top) · factor - [i = label] · weight) · slope of the cap. Where the gradient lies in
// the memory of wider logits, a step's logits are all read before its gradients are written, and those lie above all
// logits that are still to be read (cross_entropy_kernels.h).
template <bool kCapped, int N, typename L, typename T, typename A>
__device__ void write_gradient(const L* logits, T* gradient, int64_t classes, int64_t label, A cap, A top, A factor,
                               A weight) {
  const int64_t stride = int64_t{blockDim.x} * N, step = kWritePacks * stride;
  const auto place = [&](int64_t begin, int j) { return begin + j * stride + int64_t{threadIdx.x} * N; };
  Pack<L, N> next[kWritePacks];
  const auto load_step = [&](int64_t begin) {
#pragma unroll
    for (int j = 0; j < kWritePacks; ++j) {
      if (begin >= 0 && place(begin, j) < classes) next[j] = load<N>(logits, place(begin, j));
    }
  };
  const int64_t last = (classes - 1) / step * step;
  load_step(last);
  for (int64_t begin = last; begin >= 0; begin -= step) {
    Pack<L, N> x[kWritePacks];
#pragma unroll
    for (int j = 0; j < kWritePacks; ++j) x[j] = next[j];
    load_step(begin - step);
    if constexpr (sizeof(T) < sizeof(L)) __syncthreads();
#pragma unroll
    for (int j = 0; j < kWritePacks; ++j) {
      const int64_t i = place(begin, j);
      if (i >= classes) continue;
      Pack<T, N> out;
#pragma unroll
      for (int k = 0; k < N; ++k) {
        const A logit = capped<kCapped>(widen(x[j].values[k]), cap);
        A d = exponential<T>(logit - top) * factor;
        if (i + k == label) d -= weight;
        if (kCapped) d *= A(1) - logit / cap * (logit / cap);
        out.values[k] = narrow<T>(d);
      }
      store<N>(gradient, i, out);
    }
  }
}

template <bool kCapped, typename L, typename T, int N>
__global__ void __launch_bounds__(32 * kMaxWarps) rows_kernel(const CrossEntropyArguments a) {
  using A = Compute<L>;
  const int64_t row = blockIdx.x, classes = a.classes, label = a.labels[row];
  const L* const logits = static_cast<const L*>(a.logits) + row * a.row_stride;
  T* const gradient = a.gradient ? static_cast<T*>(a.gradient) + row * a.gradient_stride : nullptr;
  const bool label_here = label >= 0 && label < classes, first = threadIdx.x == 0;
  const A cap = static_cast<A>(a.logit_softcap), z_loss = static_cast<A>(a.z_loss);
  const A weight = a.pass == CrossEntropyPass::statistics ? A(1) : static_cast<const A*>(a.weights)[row];
  if (weight == A(0)) {
    if (first) static_cast<A*>(a.losses)[row] = static_cast<A*>(a.weighted)[row] = 0;
    for (int64_t i = int64_t{threadIdx.x} * N; gradient && i < classes; i += int64_t{blockDim.x} * N) {
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
    label_logit = label_here ? capped<kCapped>(widen(logits[label]), cap) : A(0);
    all = top_and_sum<kCapped, T, N>(logits, classes, cap);
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
    write_gradient<kCapped, N>(logits, gradient, classes, label, cap, all.top, factor, weight);
  }
}

// Long rows get all of a multiprocessor: the fewer rows are under way at once, the more of each does the L2 cache hold
// from the first pass to the second.
constexpr int64_t kLongRow = 128 << 10;  // bytes

template <typename L, typename T>
void start_rows(const CrossEntropyArguments& a, void* stream) {
  constexpr int N = kFullPack<L>;  // the last pack may reach beyond the classes, not beyond the row's stride
  const dim3 threads(a.classes * static_cast<int64_t>(sizeof(L)) > kLongRow ? 1024 : 512);
  const bool packs = packs_fit<L, N>(a.row_stride, {a.logits}) && packs_fit<T, N>(a.gradient_stride, {a.gradient});
  const auto start_with = [&](auto kernel) {
    start("cross_entropy_rows", kernel, static_cast<unsigned>(a.rows), threads, 0, stream, a);
  };
  if (a.logit_softcap > 0) {
    packs ? start_with(rows_kernel<true, L, T, N>) : start_with(rows_kernel<true, L, T, 1>);
  } else {
    packs ? start_with(rows_kernel<false, L, T, N>) : start_with(rows_kernel<false, L, T, 1>);
  }
}

}  // namespace

void cross_entropy_rows(const CrossEntropyArguments& a, void* stream) {
  if (a.rows == 0) return;
  with_element_type(a.logits_type, [&](auto logit) {
    using L = decltype(logit);
    if (sizeof(L) == sizeof(float) && a.type == ElementType::bfloat16) {
      start_rows<float, __nv_bfloat16>(a, stream);
    } else {
      start_rows<L, L>(a, stream);
    }
  });
}

}  // namespace longhaul::ops::cuda
