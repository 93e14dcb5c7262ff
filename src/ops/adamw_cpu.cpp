// AdamW on the CPU: every number is read once and written once.
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>

#include "ops/adamw_kernels.h"
#include "ops/cpu_elements.h"

namespace longhaul::ops::cpu {
namespace {

template <bool has_model, bool zero_grad>
LONGHAUL_CLONES void adamw_range(const AdamWArguments& arguments, float grad_scale, int64_t begin, int64_t end) {
  const AdamWArguments a = arguments;
  float* __restrict master = a.master;
  float* __restrict moment1 = a.moment1;
  float* __restrict moment2 = a.moment2;
  float* __restrict grad = a.grad;
  c10::BFloat16* __restrict model = static_cast<c10::BFloat16*>(a.model);
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) {
    const float g = grad[i] * grad_scale;
    const float m = moment1[i] + (g - moment1[i]) * a.one_minus_beta1;
    const float v = moment2[i] * a.beta2 + g * g * a.one_minus_beta2;
    const float denominator = std::sqrt(v) * a.inverse_root_correction + a.eps;
    const float w = master[i] * a.decay - a.step_size * (m / denominator);
    moment1[i] = m;
    moment2[i] = v;
    master[i] = w;
    if constexpr (has_model) store(model, i, w);
    if constexpr (zero_grad) grad[i] = 0;
  }
}

LONGHAUL_CLONES double chunk_norm(const float* x, int64_t count) {
  return sum_of<double>(
      count, [=](int64_t i) __attribute__((always_inline)) {
        const double value = x[i];
        return value * value;
      });
}

}  // namespace

void adamw(const AdamWArguments& a) {
  const auto range = a.model ? (a.zero_grad ? adamw_range<true, true> : adamw_range<true, false>)
                             : (a.zero_grad ? adamw_range<false, true> : adamw_range<false, false>);
  const float grad_scale = a.grad_scale != nullptr ? static_cast<float>(*a.grad_scale) : 1.0F;
  if (!std::isfinite(grad_scale)) return;
  at::parallel_for(0, a.count, 16384, [&](int64_t begin, int64_t end) { range(a, grad_scale, begin, end); });
}

void squared_norm(const SquaredNormArguments& a) {
  const int64_t chunks = (a.count + kNormChunk - 1) / kNormChunk;
  at::parallel_for(0, chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      const int64_t first = chunk * kNormChunk;
      a.partials[chunk] = chunk_norm(a.x + first, std::min(kNormChunk, a.count - first));
    }
  });
  double total = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) total += a.partials[chunk];
  *a.sum += total;
}

}  // namespace longhaul::ops::cpu
