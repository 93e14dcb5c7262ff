#include "ops/column_sums_cpu.h"

#include "ops/aligned_buffer.h"
#include "ops/cpu_elements.h"
#include "ops/parallel_tasks.h"
#include "ops/partial_sums_cpu.h"
#include "ops/row_blocks.h"

namespace longhaul::ops::cpu {
namespace {

template <typename T>
LONGHAUL_CLONES void sum_rows(const T* x, int64_t begin, int64_t end, int64_t columns, Compute<T>* __restrict out) {
  for (int64_t i = 0; i < columns; ++i) out[i] = 0;
  for (int64_t row = begin; row < end; ++row) {
    const T* __restrict from = x + row * columns;
#pragma omp simd
    for (int64_t i = 0; i < columns; ++i) out[i] += load(from, i);
  }
}

}  // namespace

void add_column_sums(ElementType type, const void* x, int64_t rows, int64_t columns, void* out) {
  with_element_type(type, [&]<typename T>(T) {
    const RowBlocks blocks = row_blocks(rows, false);
    AlignedBuffer buffer;
    auto* partials = buffer.get<Compute<T>>(blocks.count * columns);
    parallel_tasks(blocks.count, [&](int64_t block) {
      sum_rows(static_cast<const T*>(x), blocks.begin(block), blocks.end(block), columns, partials + block * columns);
    });
    add_partials(partials, blocks.count, columns, static_cast<Compute<T>*>(out));
  });
}

}  // namespace longhaul::ops::cpu
