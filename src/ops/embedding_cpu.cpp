// Rows of a table on the CPU.
#include <ATen/Parallel.h>

#include <cstring>

#include "ops/cpu_elements.h"
#include "ops/embedding_kernels.h"

namespace longhaul::ops::cpu {
namespace {

// The runs of equal ids that begin within [begin, end): a run is one thread's, so that no two write the same
// row.
template <typename T>
LONGHAUL_CLONES void add_runs(const EmbeddingBackward& a, int64_t begin, int64_t end) {
  using A = Compute<T>;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t id = a.sorted_ids[i];
    if (i > 0 && a.sorted_ids[i - 1] == id) continue;
    A* __restrict row = static_cast<A*>(a.dtable) + id * a.hidden;
    for (int64_t j = i; j < a.tokens && a.sorted_ids[j] == id; ++j) {
      const T* __restrict dy = static_cast<const T*>(a.dy) + a.order[j] * a.hidden;
#pragma omp simd
      for (int64_t k = 0; k < a.hidden; ++k) row[k] += load(dy, k);
    }
  }
}

}  // namespace

void embedding_forward(const EmbeddingForward& a) {
  with_element_type(a.type, [&]<typename T>(T) {
    at::parallel_for(0, a.tokens, rows_per_task(a.hidden), [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        std::memcpy(static_cast<T*>(a.y) + t * a.hidden, static_cast<const T*>(a.table) + a.ids[t] * a.hidden,
                    a.hidden * sizeof(T));
      }
    });
  });
}

void embedding_backward(const EmbeddingBackward& a) {
  with_element_type(a.type, [&]<typename T>(T) {
    at::parallel_for(0, a.tokens, rows_per_task(a.hidden),
                     [&](int64_t begin, int64_t end) { add_runs<T>(a, begin, end); });
  });
}

}  // namespace longhaul::ops::cpu
