// The scheme of Goto and van de Geijn ("Anatomy of high-performance matrix multiplication", 2008): b is
// packed once into panels of 32 columns, shared by all threads; a task packs a block of rows of a, which
// stays in its L2 cache, and passes over the panels of b, each of which stays in L1 while the block's tiles
// of 14 rows use it.
#include "ops/gemm_avx512.h"

#include <algorithm>

#include "ops/aligned_buffer.h"
#include "ops/gemm_pack_avx512.h"
#include "ops/parallel_tasks.h"

LONGHAUL_AVX512_BEGIN

namespace longhaul::ops::avx512 {
namespace {

constexpr int kGemmRows = 14;
constexpr int64_t kDepth = 1024;            // units of the contracted dimension per block
constexpr int64_t kBlockTiles = 16;         // most tiles of rows per block of a
constexpr int64_t kBlockUnits = 112 << 10;  // of a per block: 448 KiB, half of an L2 cache
constexpr int64_t kTaskPanels = 32;         // most panels of b per task; half of them where partial sums are kept
constexpr int64_t kPackPanels = 4;          // panels of b that are packed in one task
constexpr int64_t kPackedUnits = 8 << 20;   // largest packed b: 32 MiB; a larger b is taken in slabs of columns

int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

struct Problem {
  GemmArguments g;
  int64_t element_bytes;
  int64_t per_unit;
  int64_t units;        // of the whole contracted dimension
  int64_t tiles;        // of rows
  int64_t first_panel;  // of the slab
  int64_t panels;       // of the slab
  Unit* packed_b;       // [panels][units][32]
};

// Rows [first_row, first_row + rows) of a, or columns of b, by `elements` of the contracted dimension from
// `first` on, into panels of kLanes that are `panel_units` apart.
template <Units kUnits, int kLanes>
void pack(const Problem& p, const void* data, int64_t row_stride, int64_t depth_stride, int64_t first_row, int64_t rows,
          int64_t first, int64_t elements, Unit* panel, int64_t panel_units) {
  const int64_t row_bytes = row_stride * p.element_bytes, depth_bytes = depth_stride * p.element_bytes;
  const char* source = static_cast<const char*>(data) + first_row * row_bytes + first * depth_bytes;
  if (depth_stride != 1) {
    pack_across<kUnits, kLanes>(source, depth_bytes, rows, elements, panel, panel_units);
    return;
  }
  for (int64_t row = 0; row < rows; row += kLanes, panel += panel_units) {
    pack_along<kUnits, kLanes>(source + row * row_bytes, row_bytes, std::min<int64_t>(rows - row, kLanes), elements,
                               panel);
  }
}

// Starts to bring two rows of the tile of the result into the cache, where they will be wanted when the sums
// are done.
inline void prefetch_rows(const GemmArguments& g, int64_t row, int64_t column) {
  const int64_t bytes = g.out_bf16 ? 2 : 4;
  const char* out = static_cast<const char*>(g.out) + (row * g.out_stride + column) * bytes;
  for (int64_t i = 0; i < 2; ++i, out += g.out_stride * bytes) {
    _mm_prefetch(out, _MM_HINT_ET0);
    if (!g.out_bf16) _mm_prefetch(out + 64, _MM_HINT_ET0);
  }
}

inline __m512 load_bias(const void* bias, bool bf16, int64_t column, __mmask16 mask) {
  if (!bf16) return _mm512_maskz_loadu_ps(mask, static_cast<const float*>(bias) + column);
  const __m256i half = _mm256_maskz_loadu_epi16(mask, static_cast<const uint16_t*>(bias) + column);
  return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

// One tile over one block of depth.
struct Tile {
  const Unit* a;  // [units][14]
  const Unit* b;  // [units][32]
  int64_t units;
  int64_t row, column;
  bool first, last;    // blocks of depth
  float* partial;      // [14][32], partial sums of BF16 results between the blocks
  const Unit* coming;  // what will be read next from beyond the L2 cache
  int64_t coming_units;
};

// The products of a tile, and between them prefetches: of its place in the result, and of the units to come.
template <Units kUnits>
inline __attribute__((always_inline)) void sum_tile(const Problem& p, const Tile& t, __m512 (&sums)[kGemmRows][2]) {
  constexpr int64_t kSteps = kGemmRows / 2;
  const int64_t step = ceil_div(t.units, kSteps);
  for (int64_t i = 0, done = 0; done < t.units; ++i, done += step) {
    if (t.last || !p.g.out_bf16) prefetch_rows(p.g, t.row + 2 * i, t.column);
    const int64_t until = t.coming_units * (i + 1) / kSteps;
    for (int64_t unit = t.coming_units * i / kSteps; unit < until; unit += 16) {
      _mm_prefetch(t.coming + unit, _MM_HINT_T1);
    }
    multiply_tile<kGemmRows, kUnits>(std::min(step, t.units - done), t.a + done * kGemmRows, 1, kGemmRows,
                                     t.b + done * kTileColumns, kTileColumns, sums);
  }
}

template <Units kUnits>
void run_tile(const Problem& p, const Tile& t) {
  __m512 sums[kGemmRows][2];
  clear_tile(sums);
  sum_tile<kUnits>(p, t, sums);
  const GemmArguments& g = p.g;
  const int64_t rows = std::min<int64_t>(kGemmRows, g.m - t.row);
  const __mmask16 masks[2] = {mask16(g.n - t.column), mask16(g.n - t.column - 16)};
  __m512 bias[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
  if (t.last && g.bias != nullptr) {
    bias[0] = load_bias(g.bias, g.bf16, t.column, masks[0]);
    bias[1] = load_bias(g.bias, g.bf16, t.column + 16, masks[1]);
  }
#pragma GCC unroll 14
  for (int i = 0; i < kGemmRows; ++i) {
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      __m512 value = _mm512_add_ps(sums[i][j], bias[j]);
      if (g.out_bf16) {
        float* kept = t.partial + i * kTileColumns + j * 16;
        if (!t.first) value = _mm512_add_ps(value, _mm512_load_ps(kept));
        if (!t.last) {
          _mm512_store_ps(kept, value);
        } else if (i < rows) {
          uint16_t* out = static_cast<uint16_t*>(g.out) + (t.row + i) * g.out_stride + t.column + j * 16;
          _mm256_mask_storeu_epi16(out, masks[j], (__m256i)_mm512_cvtneps_pbh(value));
        }
      } else if (i < rows) {
        float* out = static_cast<float*>(g.out) + (t.row + i) * g.out_stride + t.column + j * 16;
        if (!t.first || g.accumulate) value = _mm512_add_ps(value, _mm512_maskz_loadu_ps(masks[j], out));
        _mm512_mask_storeu_ps(out, masks[j], value);
      }
    }
  }
}

// Units per block of depth, all blocks about equal.
int64_t block_depth(const Problem& p) {
  return ceil_div(p.units, ceil_div(p.units, kDepth));
}

template <Units kUnits>
void run_block(const Problem& p, int64_t first_tile, int64_t tiles, int64_t first_panel, int64_t panels) {
  thread_local AlignedBuffer a_buffer, partial_buffer;
  const int64_t depth = block_depth(p), blocks = ceil_div(p.units, depth);
  Unit* a = a_buffer.get<Unit>(tiles * depth * kGemmRows + 16);
  float* partial =
      p.g.out_bf16 && blocks > 1 ? partial_buffer.get<float>(panels * tiles * kGemmRows * kTileColumns) : nullptr;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t first = block * depth;
    const int64_t units = std::min(depth, p.units - first);
    const int64_t elements = std::min(units * p.per_unit, p.g.k - first * p.per_unit);
    const int64_t row = first_tile * kGemmRows;
    pack<kUnits, kGemmRows>(p, p.g.a.data, p.g.a.row_stride, p.g.a.column_stride, row,
                            std::min(tiles * kGemmRows, p.g.m - row), first * p.per_unit, elements, a,
                            depth * kGemmRows);
    const int64_t panel_units = units * kTileColumns;
    for (int64_t panel = 0; panel < panels; ++panel) {
      const Unit* b = p.packed_b + ((first_panel + panel) * p.units + first) * kTileColumns;
      for (int64_t t = 0; t < tiles; ++t) {
        Tile tile{a + t * depth * kGemmRows,
                  b,
                  units,
                  (first_tile + t) * kGemmRows,
                  (p.first_panel + first_panel + panel) * kTileColumns,
                  block == 0,
                  block == blocks - 1,
                  partial == nullptr ? nullptr : partial + (panel * tiles + t) * kGemmRows * kTileColumns,
                  b,
                  0};
        if (panel + 1 < panels) {  // this tile's share of the next panel
          tile.coming = b + p.units * kTileColumns + panel_units * t / tiles;
          tile.coming_units = panel_units / tiles;
        }
        run_tile<kUnits>(p, tile);
      }
    }
  }
}

template <Units kUnits>
void run_slab(const Problem& p) {
  parallel_tasks(ceil_div(p.panels, kPackPanels), [&](int64_t task) {
    const int64_t panel = task * kPackPanels;
    const int64_t column = (p.first_panel + panel) * kTileColumns;
    const int64_t columns = std::min(kPackPanels, p.panels - panel) * kTileColumns;
    pack<kUnits, kTileColumns>(p, p.g.b.data, p.g.b.column_stride, p.g.b.row_stride, column,
                               std::min(columns, p.g.n - column), 0, p.g.k, p.packed_b + panel * p.units * kTileColumns,
                               p.units * kTileColumns);
  });
  // Blocks of nearly equal size, their number a multiple of the threads where that is cheap.
  const int64_t depth = block_depth(p);
  const int64_t across = ceil_div(p.panels, depth < p.units ? kTaskPanels / 2 : kTaskPanels);
  const int64_t threads = at::get_num_threads();
  int64_t down = ceil_div(p.tiles, std::clamp<int64_t>(kBlockUnits / (depth * kGemmRows), 1, kBlockTiles));
  while (down * across % threads != 0 && down < p.tiles) ++down;
  parallel_tasks(down * across, [&](int64_t task) {
    const int64_t i = task / across, j = task % across;
    const int64_t tile = p.tiles * i / down, panel = p.panels * j / across;
    run_block<kUnits>(p, tile, p.tiles * (i + 1) / down - tile, panel, p.panels * (j + 1) / across - panel);
  });
}

}  // namespace

void gemm(const GemmArguments& g) {
  Problem p{};
  p.g = g;
  p.element_bytes = g.bf16 ? 2 : 4;
  p.per_unit = g.bf16 ? 2 : 1;
  p.units = ceil_div(g.k, p.per_unit);
  p.tiles = ceil_div(g.m, kGemmRows);
  const int64_t panels = ceil_div(g.n, kTileColumns);
  const int64_t slab = std::clamp<int64_t>(kPackedUnits / std::max<int64_t>(p.units * kTileColumns, 1), 1, panels);
  thread_local AlignedBuffer b_buffer;
  p.packed_b = b_buffer.get<Unit>(slab * p.units * kTileColumns);
  for (p.first_panel = 0; p.first_panel < panels; p.first_panel += slab) {
    p.panels = std::min(slab, panels - p.first_panel);
    if (g.bf16) {
      run_slab<Units::bf16_pairs>(p);
    } else {
      run_slab<Units::fp32>(p);
    }
  }
}

}  // namespace longhaul::ops::avx512

LONGHAUL_AVX512_END

namespace longhaul::ops::avx512 {

bool supported(bool bf16) {
  static const bool fp32_supported = __builtin_cpu_supports("x86-64-v4") > 0;
  static const bool bf16_supported = fp32_supported && __builtin_cpu_supports("avx512bf16") > 0;
  return bf16 ? bf16_supported : fp32_supported;
}

}  // namespace longhaul::ops::avx512
