// act(x + bias) on the CPU.
#include <ATen/Parallel.h>

#include <algorithm>

#include "ops/activation_kernels.h"
#include "ops/activation_math_cpu.h"
#include "ops/cpu_elements.h"
#include "ops/partial_sums_cpu.h"

namespace longhaul::ops::cpu {
namespace {

template <Activation kind, typename T>
LONGHAUL_CLONES void forward_rows(const ActivationForward& a, int64_t begin, int64_t end) {
  const T* __restrict bias = static_cast<const T*>(a.bias);
  for (int64_t row = begin; row < end; ++row) {
    const T* __restrict x = static_cast<const T*>(a.x) + row * a.columns;
    T* __restrict y = static_cast<T*>(a.y) + row * a.columns;
    if (bias) {
#pragma omp simd
      for (int64_t i = 0; i < a.columns; ++i) store(y, i, activate<kind>(load(x, i) + load(bias, i)).value);
    } else {
#pragma omp simd
      for (int64_t i = 0; i < a.columns; ++i) store(y, i, activate<kind>(load(x, i)).value);
    }
  }
}

// `dbias` [columns] null or added to, before dx is rounded.
template <Activation kind, bool has_bias, bool adds_up, typename T>
LONGHAUL_INLINE void backward_row(const ActivationBackward& a, int64_t row, Compute<T>* __restrict dbias) {
  const T* __restrict bias = static_cast<const T*>(a.bias);
  const T* __restrict x = static_cast<const T*>(a.x) + row * a.columns;
  const T* dy = static_cast<const T*>(a.dy) + row * a.columns;  // may be dx
  T* dx = static_cast<T*>(a.dx) + row * a.columns;
#pragma omp simd
  for (int64_t i = 0; i < a.columns; ++i) {
    Compute<T> input = load(x, i);
    if constexpr (has_bias) input += load(bias, i);
    const Compute<T> d = load(dy, i) * activate<kind>(input).slope;
    store(dx, i, d);
    if constexpr (adds_up) dbias[i] += d;
  }
}

template <Activation kind, typename T>
LONGHAUL_CLONES void backward_block(const ActivationBackward& a, int64_t block) {
  using A = Compute<T>;
  A* dbias = a.dbias ? static_cast<A*>(a.partials) + block * a.columns : nullptr;
  if (dbias) std::fill_n(dbias, a.columns, A(0));
  for (int64_t row = a.blocks.begin(block); row < a.blocks.end(block); ++row) {
    if (a.bias) {
      dbias ? backward_row<kind, true, true, T>(a, row, dbias) : backward_row<kind, true, false, T>(a, row, dbias);
    } else {
      dbias ? backward_row<kind, false, true, T>(a, row, dbias) : backward_row<kind, false, false, T>(a, row, dbias);
    }
  }
}

}  // namespace

void activation_forward(const ActivationForward& a) {
  with_element_type(a.type, [&]<typename T>(T) {
    with_activation(a.kind, [&]<Activation kind>() {
      at::parallel_for(0, a.rows, rows_per_task(a.columns),
                       [&](int64_t begin, int64_t end) { forward_rows<kind, T>(a, begin, end); });
    });
  });
}

void activation_backward(const ActivationBackward& a) {
  with_element_type(a.type, [&]<typename T>(T) {
    with_activation(a.kind, [&]<Activation kind>() {
      at::parallel_for(0, a.blocks.count, 1, [&](int64_t begin, int64_t end) {
        for (int64_t block = begin; block < end; ++block) backward_block<kind, T>(a, block);
      });
    });
    using A = Compute<T>;
    add_partials(static_cast<const A*>(a.partials), a.blocks.count, a.columns, static_cast<A*>(a.dbias));
  });
}

}  // namespace longhaul::ops::cpu
