// One row stays in the L1 or L2 cache over its three passes: the maximum, the sum of exponentials, the
// gradient.
#include <cmath>

#include "ops/cpu_elements.h"
#include "ops/cross_entropy_kernels.h"
#include "ops/parallel_tasks.h"
#include "ops/vector_math.h"

namespace longhaul::ops::cpu {
namespace {

template <typename A>
LONGHAUL_INLINE A row_maximum(const A* __restrict logits, int64_t classes) {
  A top = logits[0];
#pragma omp simd reduction(max : top)
  for (int64_t i = 0; i < classes; ++i) top = logits[i] > top ? logits[i] : top;
  return top;
}

// logits = cap · tanh(logits / cap), in place.
template <typename A>
LONGHAUL_INLINE void cap_row(A* __restrict logits, int64_t classes, A cap) {
  const A inverse = A(1) / cap;
#pragma omp simd
  for (int64_t i = 0; i < classes; ++i) logits[i] = cap * simd::tanh(logits[i] * inverse);
}

template <typename T>
LONGHAUL_CLONES void rows(const CrossEntropyArguments& a, int64_t begin, int64_t end) {
  using A = Compute<T>;
  const int64_t classes = a.classes;
  const A cap = static_cast<A>(a.logit_softcap), z_loss = static_cast<A>(a.z_loss);
  for (int64_t row = begin; row < end; ++row) {
    A* logits = static_cast<A*>(a.logits) + row * a.row_stride;
    const int64_t label = a.labels[row];
    const bool label_here = label >= 0 && label < classes;
    A top, sum, label_logit;
    if (a.pass == CrossEntropyPass::finish) {
      top = static_cast<const A*>(a.top)[row];
      sum = static_cast<const A*>(a.sum)[row];
      label_logit = static_cast<const A*>(a.label_logit)[row];
    } else {
      if (cap > 0) cap_row(logits, classes, cap);
      top = row_maximum(logits, classes);
      label_logit = label_here ? logits[label] : A(0);
      sum = sum_of<A>(
          classes, [=](int64_t i) __attribute__((always_inline)) { return simd::exp(logits[i] - top); });
      if (a.pass == CrossEntropyPass::statistics) {
        static_cast<A*>(a.top)[row] = top;
        static_cast<A*>(a.sum)[row] = sum;
        static_cast<A*>(a.label_logit)[row] = label_logit;
        continue;
      }
    }
    const A lse = top + std::log(sum), weight = static_cast<const A*>(a.weights)[row];
    const A loss = lse - label_logit;
    static_cast<A*>(a.losses)[row] = loss;
    static_cast<A*>(a.weighted)[row] = weight * (loss + z_loss * lse * lse);
    if (a.gradient == nullptr) continue;
    // The gradient may overwrite the logits: element by element, so no __restrict.
    T* gradient = static_cast<T*>(a.gradient) + row * a.gradient_stride;
    const A factor = weight * (A(1) + A(2) * z_loss * lse) / sum;
    A at_label = simd::exp(label_logit - top) * factor - weight;
    if (cap > 0) {
      const A inverse = A(1) / cap;
#pragma omp simd
      for (int64_t i = 0; i < classes; ++i) {
        const A t = logits[i] * inverse;
        store(gradient, i, simd::exp(logits[i] - top) * factor * (A(1) - t * t));
      }
      at_label *= A(1) - label_logit * inverse * (label_logit * inverse);
    } else {
#pragma omp simd
      for (int64_t i = 0; i < classes; ++i) store(gradient, i, simd::exp(logits[i] - top) * factor);
    }
    if (label_here) store(gradient, label, at_label);
  }
}

}  // namespace

void cross_entropy_rows(const CrossEntropyArguments& arguments) {
  constexpr int64_t kTaskRows = 8;
  with_element_type(arguments.type, [&]<typename T>(T) {
    parallel_tasks((arguments.rows + kTaskRows - 1) / kTaskRows, [&](int64_t task) {
      rows<T>(arguments, task * kTaskRows, std::min(arguments.rows, (task + 1) * kTaskRows));
    });
  });
}

}  // namespace longhaul::ops::cpu
