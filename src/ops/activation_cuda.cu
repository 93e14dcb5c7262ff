// Activations on CUDA, plain and gated. blockIdx.x and threadIdx.x pick a pack of columns, blockIdx.y the
// rows.
#include "ops/activation_kernels.h"
#include "ops/cuda_elements.cuh"
#include "ops/partial_sums_cuda.h"

namespace longhaul::ops::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kMaxGridRows = 65535;

template <typename A>
struct ValueAndSlope {
  A value;
  A slope;
};

// x · s(v) for the sigmoid s, and its derivative where v' is `inner_slope`; 1 - s(v) without cancellation.
template <typename T, typename A>
__device__ ValueAndSlope<A> sigmoid_times(A x, A v, A inner_slope) {
  const A e = exponential<T>(-v), s = quotient<T>(A(1), A(1) + e);
  const A complement = v < A(-40) ? A(1) : e * s;  // e may be infinite
  return {x * s, s + x * s * complement * inner_slope};
}

// The formulas are explained in activation_math_cpu.h.
template <Activation kind, typename T, typename A = Compute<T>>
__device__ ValueAndSlope<A> activate(A x) {
  if constexpr (kind == Activation::silu) {
    return sigmoid_times<T>(x, x, A(1));
  } else if constexpr (kind == Activation::gelu_erf) {
    const A integral = A(0.5) * erfc(-x * A(0.70710678118654752440));
    const A density = A(0.39894228040143267794) * exp(A(-0.5) * x * x);
    return {x * integral, integral + x * density};
  } else if constexpr (kind == Activation::gelu_tanh) {
    constexpr A kScale = A(1.5957691216057307118);  // 2 √(2/π)
    constexpr A kCubic = A(0.044715);
    return sigmoid_times<T>(x, kScale * x * (A(1) + kCubic * x * x), kScale * (A(1) + A(3) * kCubic * x * x));
  } else if constexpr (kind == Activation::squared_relu) {
    const A positive = x < A(0) ? A(0) : x;
    return {positive * positive, A(2) * positive};
  } else {
    static_assert(kind == Activation::relu);
    return {x < A(0) ? A(0) : x, x > A(0) ? A(1) : A(0)};
  }
}

template <Activation kind, typename T, int N>
__global__ void gated_forward_kernel(const GatedForward a) {
  const int64_t column = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * N;
  if (column >= a.columns) return;
  for (int64_t row = blockIdx.y; row < a.rows; row += gridDim.y) {
    const T* gates = static_cast<const T*>(a.gate_up) + row * 2 * a.columns;
    const Pack<T, N> gate = load<N>(gates, column), up = load<N>(gates, a.columns + column);
    Pack<T, N> y;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      y.values[k] = narrow<T>(activate<kind, T>(widen(gate.values[k])).value * widen(up.values[k]));
    }
    store<N>(static_cast<T*>(a.y), row * a.columns + column, y);
  }
}

template <Activation kind, typename T, int N>
__global__ void gated_backward_kernel(const GatedBackward a) {
  const int64_t column = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * N;
  if (column >= a.columns) return;
  for (int64_t row = blockIdx.y; row < a.rows; row += gridDim.y) {
    const T* gates = static_cast<const T*>(a.gate_up) + row * 2 * a.columns;
    T* dgates = static_cast<T*>(a.dgate_up) + row * 2 * a.columns;
    const Pack<T, N> gate = load<N>(gates, column), up = load<N>(gates, a.columns + column);
    const Pack<T, N> dy = load<N>(static_cast<const T*>(a.dy), row * a.columns + column);
    Pack<T, N> dgate, dup;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const auto activated = activate<kind, T>(widen(gate.values[k]));
      const auto d = widen(dy.values[k]);
      dgate.values[k] = narrow<T>(d * widen(up.values[k]) * activated.slope);
      dup.values[k] = narrow<T>(d * activated.value);
    }
    store<N>(dgates, column, dgate);
    store<N>(dgates, a.columns + column, dup);
  }
}

// x + bias of one pack of columns, widened; without a bias its pack is all zeros.
template <typename T, int N>
__device__ Pack<Compute<T>, N> bias_pack(const void* bias, int64_t column) {
  Pack<Compute<T>, N> wide{};
  if (!bias) return wide;
  const Pack<T, N> pack = load<N>(static_cast<const T*>(bias), column);
#pragma unroll
  for (int k = 0; k < N; ++k) wide.values[k] = widen(pack.values[k]);
  return wide;
}

template <Activation kind, typename T, int N>
__global__ void forward_kernel(const ActivationForward a) {
  const int64_t column = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * N;
  if (column >= a.columns) return;
  const Pack<Compute<T>, N> bias = bias_pack<T, N>(a.bias, column);
  for (int64_t row = blockIdx.y; row < a.rows; row += gridDim.y) {
    const int64_t offset = row * a.columns + column;
    const Pack<T, N> x = load<N>(static_cast<const T*>(a.x), offset);
    Pack<T, N> y;
#pragma unroll
    for (int k = 0; k < N; ++k) y.values[k] = narrow<T>(activate<kind, T>(widen(x.values[k]) + bias.values[k]).value);
    store<N>(static_cast<T*>(a.y), offset, y);
  }
}

// blockIdx.y is a block of rows; its part of dbias goes to `partials`.
template <Activation kind, typename T, int N>
__global__ void backward_kernel(const ActivationBackward a) {
  using A = Compute<T>;
  const int64_t column = (int64_t{blockIdx.x} * kThreads + threadIdx.x) * N;
  if (column >= a.columns) return;
  const Pack<A, N> bias = bias_pack<T, N>(a.bias, column);
  const int64_t block = blockIdx.y;
  const int64_t begin = a.rows * block / a.blocks.count, end = a.rows * (block + 1) / a.blocks.count;
  Pack<A, N> dbias{};
  for (int64_t row = begin; row < end; ++row) {
    const int64_t offset = row * a.columns + column;
    const Pack<T, N> x = load<N>(static_cast<const T*>(a.x), offset), dy = load<N>(static_cast<const T*>(a.dy), offset);
    Pack<T, N> dx;
#pragma unroll
    for (int k = 0; k < N; ++k) {
      const A d = widen(dy.values[k]) * activate<kind, T>(widen(x.values[k]) + bias.values[k]).slope;
      dx.values[k] = narrow<T>(d);
      dbias.values[k] += d;
    }
    store<N>(static_cast<T*>(a.dx), offset, dx);
  }
  if (a.dbias) store<N>(static_cast<A*>(a.partials), block * a.columns + column, dbias);
}

// Calls function(element, pack, kind), each a value whose type tells what to instantiate.
template <typename Function>
void with_kernel_types(const ActivationShape& shape, std::initializer_list<const void*> pointers, Function&& function) {
  with_pack(shape.type, shape.columns, pointers, [&](auto element, auto pack) {
    const auto call = [&]<Activation kind>() { function(element, pack, std::integral_constant<Activation, kind>{}); };
    switch (shape.kind) {
      case Activation::gelu_erf:
        return call.template operator()<Activation::gelu_erf>();
      case Activation::gelu_tanh:
        return call.template operator()<Activation::gelu_tanh>();
      case Activation::silu:
        return call.template operator()<Activation::silu>();
      case Activation::squared_relu:
        return call.template operator()<Activation::squared_relu>();
      case Activation::relu:
        return call.template operator()<Activation::relu>();
    }
  });
}

dim3 grid_of(int64_t columns, int pack, int64_t rows) {
  const int64_t packs = (columns + pack - 1) / pack;
  return dim3(static_cast<unsigned>((packs + kThreads - 1) / kThreads),
              static_cast<unsigned>(rows < kMaxGridRows ? rows : kMaxGridRows));
}

}  // namespace

void gated_forward(const GatedForward& a, void* stream) {
  with_kernel_types(a, {a.gate_up, a.y}, [&](auto element, auto pack, auto kind) {
    constexpr int N = decltype(pack)::value;
    start("gated_forward", gated_forward_kernel<decltype(kind)::value, decltype(element), N>,
          grid_of(a.columns, N, a.rows), kThreads, 0, stream, a);
  });
}

void gated_backward(const GatedBackward& a, void* stream) {
  with_kernel_types(a, {a.gate_up, a.dy, a.dgate_up}, [&](auto element, auto pack, auto kind) {
    constexpr int N = decltype(pack)::value;
    start("gated_backward", gated_backward_kernel<decltype(kind)::value, decltype(element), N>,
          grid_of(a.columns, N, a.rows), kThreads, 0, stream, a);
  });
}

void activation_forward(const ActivationForward& a, void* stream) {
  with_kernel_types(a, {a.x, a.bias, a.y}, [&](auto element, auto pack, auto kind) {
    constexpr int N = decltype(pack)::value;
    start("activation_forward", forward_kernel<decltype(kind)::value, decltype(element), N>,
          grid_of(a.columns, N, a.rows), kThreads, 0, stream, a);
  });
}

void activation_backward(const ActivationBackward& a, void* stream) {
  with_kernel_types(a, {a.x, a.bias, a.dy, a.dx}, [&](auto element, auto pack, auto kind) {
    using A = Compute<decltype(element)>;
    constexpr int N = decltype(pack)::value;
    start("activation_backward", backward_kernel<decltype(kind)::value, decltype(element), N>,
          grid_of(a.columns, N, a.blocks.count), kThreads, 0, stream, a);
    add_partials(static_cast<const A*>(a.partials), a.blocks.count, a.columns, static_cast<A*>(a.dbias), stream);
  });
}

}  // namespace longhaul::ops::cuda
