// act(gate) · up on the CPU.
#include <ATen/Parallel.h>

#include "ops/activation_kernels.h"
#include "ops/activation_math_cpu.h"
#include "ops/cpu_elements.h"

namespace longhaul::ops::cpu {
namespace {

template <Activation kind, typename T>
LONGHAUL_CLONES void forward_rows(const GatedForward& a, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const T* __restrict gate = static_cast<const T*>(a.gate_up) + row * 2 * a.columns;
    const T* __restrict up = gate + a.columns;
    T* __restrict y = static_cast<T*>(a.y) + row * a.columns;
#pragma omp simd
    for (int64_t i = 0; i < a.columns; ++i) store(y, i, activate<kind>(load(gate, i)).value * load(up, i));
  }
}

template <Activation kind, typename T>
LONGHAUL_CLONES void backward_rows(const GatedBackward& a, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const int64_t offset = row * 2 * a.columns;
    const T* __restrict gate = static_cast<const T*>(a.gate_up) + offset;
    const T* __restrict up = gate + a.columns;
    const T* __restrict dy = static_cast<const T*>(a.dy) + row * a.columns;
    T* __restrict dgate = static_cast<T*>(a.dgate_up) + offset;
    T* __restrict dup = dgate + a.columns;
#pragma omp simd
    for (int64_t i = 0; i < a.columns; ++i) {
      const auto activated = activate<kind>(load(gate, i));
      const auto d = load(dy, i);
      store(dgate, i, d * load(up, i) * activated.slope);
      store(dup, i, d * activated.value);
    }
  }
}

}  // namespace

void gated_forward(const GatedForward& a) {
  with_element_type(a.type, [&]<typename T>(T) {
    with_activation(a.kind, [&]<Activation kind>() {
      at::parallel_for(0, a.rows, rows_per_task(a.columns),
                       [&](int64_t begin, int64_t end) { forward_rows<kind, T>(a, begin, end); });
    });
  });
}

void gated_backward(const GatedBackward& a) {
  with_element_type(a.type, [&]<typename T>(T) {
    with_activation(a.kind, [&]<Activation kind>() {
      at::parallel_for(0, a.rows, rows_per_task(a.columns),
                       [&](int64_t begin, int64_t end) { backward_rows<kind, T>(a, begin, end); });
    });
  });
}

}  // namespace longhaul::ops::cpu
