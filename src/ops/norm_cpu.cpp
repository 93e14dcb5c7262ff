// RMSNorm and LayerNorm on the CPU: a thread takes whole rows; a row is read from memory once and from the L1
// cache for every further pass.
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "ops/cpu_elements.h"
#include "ops/norm_kernels.h"
#include "ops/partial_sums_cpu.h"

namespace longhaul::ops::cpu {
namespace {

// residual + x, rounded to the storage type: what is normalised is what the next layer's residual sees.
template <typename T>
LONGHAUL_INLINE void add_row(const T* __restrict x, const T* __restrict residual, T* __restrict sum, int64_t hidden) {
#pragma omp simd
  for (int64_t i = 0; i < hidden; ++i) store(sum, i, load(x, i) + load(residual, i));
}

template <typename T>
LONGHAUL_CLONES void forward_rows(const NormForward& a, int64_t begin, int64_t end) {
  using A = Compute<T>;
  const int64_t hidden = a.hidden;
  const A inverse_hidden = A(1) / static_cast<A>(hidden), eps = static_cast<A>(a.eps);
  const A weight_offset = a.zero_centered ? 1 : 0;
  const T* __restrict weight = static_cast<const T*>(a.weight);
  const T* __restrict bias = static_cast<const T*>(a.bias);
  for (int64_t row = begin; row < end; ++row) {
    const T* __restrict x = static_cast<const T*>(a.x) + row * hidden;
    if (a.residual) {
      T* sum = static_cast<T*>(a.sum) + row * hidden;
      add_row(x, static_cast<const T*>(a.residual) + row * hidden, sum, hidden);
      x = sum;
    }
    A mean = 0;
    if (a.layer_norm) {
      mean = inverse_hidden * sum_of<A>(
                                  hidden, [=](int64_t i) __attribute__((always_inline)) { return load(x, i); });
      static_cast<A*>(a.mean)[row] = mean;
    }
    const A square = sum_of<A>(
        hidden, [=](int64_t i) __attribute__((always_inline)) {
          const A centred = load(x, i) - mean;
          return centred * centred;
        });
    const A rstd = A(1) / std::sqrt(square * inverse_hidden + eps);
    static_cast<A*>(a.rstd)[row] = rstd;
    T* __restrict y = static_cast<T*>(a.y) + row * hidden;
    if (bias) {
#pragma omp simd
      for (int64_t i = 0; i < hidden; ++i) {
        store(y, i, (load(x, i) - mean) * rstd * (load(weight, i) + weight_offset) + load(bias, i));
      }
    } else {
#pragma omp simd
      for (int64_t i = 0; i < hidden; ++i) {
        store(y, i, (load(x, i) - mean) * rstd * (load(weight, i) + weight_offset));
      }
    }
  }
}

// One row. With n = (x - mean) · rstd and g = dy · weight: dx = rstd · (g - [mean of g] - n · [mean of g ·
// n]), the first mean only for LayerNorm; dweight += dy · n, dbias += dy.
template <typename T>
LONGHAUL_INLINE void backward_row(const NormBackward& a, int64_t row, Compute<T>* __restrict dweight,
                                  Compute<T>* __restrict dbias) {
  using A = Compute<T>;
  const int64_t hidden = a.hidden, offset = row * hidden;
  const A inverse_hidden = A(1) / static_cast<A>(hidden), weight_offset = a.zero_centered ? 1 : 0;
  const T* __restrict x = static_cast<const T*>(a.x) + offset;
  const T* __restrict dy = static_cast<const T*>(a.dy) + offset;
  const T* __restrict dsum = a.dsum ? static_cast<const T*>(a.dsum) + offset : nullptr;
  const T* __restrict weight = static_cast<const T*>(a.weight);
  T* __restrict dx = static_cast<T*>(a.dx) + offset;
  const A rstd = static_cast<const A*>(a.rstd)[row];
  const A mean = a.layer_norm ? static_cast<const A*>(a.mean)[row] : A(0);

  A mean_g = 0;
  if (a.layer_norm) {
    mean_g = inverse_hidden * sum_of<A>(
                                  hidden, [=](int64_t i) __attribute__((always_inline)) {
                                    return load(dy, i) * (load(weight, i) + weight_offset);
                                  });
  }
  const A mean_gn = inverse_hidden * rstd *
                    sum_of<A>(
                        hidden, [=](int64_t i) __attribute__((always_inline)) {
                          return load(dy, i) * (load(weight, i) + weight_offset) * (load(x, i) - mean);
                        });
  if (dsum) {
#pragma omp simd
    for (int64_t i = 0; i < hidden; ++i) {
      const A n = (load(x, i) - mean) * rstd, g = load(dy, i) * (load(weight, i) + weight_offset);
      store(dx, i, load(dsum, i) + rstd * (g - mean_g - n * mean_gn));
    }
  } else {
#pragma omp simd
    for (int64_t i = 0; i < hidden; ++i) {
      const A n = (load(x, i) - mean) * rstd, g = load(dy, i) * (load(weight, i) + weight_offset);
      store(dx, i, rstd * (g - mean_g - n * mean_gn));
    }
  }
  if (dweight) {
#pragma omp simd
    for (int64_t i = 0; i < hidden; ++i) dweight[i] += load(dy, i) * ((load(x, i) - mean) * rstd);
  }
  if (dbias) {
#pragma omp simd
    for (int64_t i = 0; i < hidden; ++i) dbias[i] += load(dy, i);
  }
}

template <typename T>
LONGHAUL_CLONES void backward_block(const NormBackward& a, int64_t block) {
  using A = Compute<T>;
  A* partials = static_cast<A*>(a.partials);
  A* dweight = a.dweight ? partials + block * a.hidden : nullptr;
  A* dbias = a.dbias ? partials + (a.blocks.count + block) * a.hidden : nullptr;
  if (dweight) std::fill_n(dweight, a.hidden, A(0));
  if (dbias) std::fill_n(dbias, a.hidden, A(0));
  for (int64_t row = a.blocks.begin(block); row < a.blocks.end(block); ++row) {
    backward_row<T>(a, row, dweight, dbias);
  }
}

}  // namespace

void norm_forward(const NormForward& a) {
  with_element_type(a.type, [&]<typename T>(T) {
    at::parallel_for(0, a.rows, rows_per_task(a.hidden),
                     [&](int64_t begin, int64_t end) { forward_rows<T>(a, begin, end); });
  });
}

void norm_backward(const NormBackward& a) {
  with_element_type(a.type, [&]<typename T>(T) {
    at::parallel_for(0, a.blocks.count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) backward_block<T>(a, block);
    });
    using A = Compute<T>;
    A* partials = static_cast<A*>(a.partials);
    add_partials(partials, a.blocks.count, a.hidden, static_cast<A*>(a.dweight));
    add_partials(partials + a.blocks.count * a.hidden, a.blocks.count, a.hidden, static_cast<A*>(a.dbias));
  });
}

}  // namespace longhaul::ops::cpu
