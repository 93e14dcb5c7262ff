// Rows of heads on their way between memory and the matrix products of the attention kernel: conversion,
// rotation, and the orders in which the products read them. No header of its own: attention_avx512.cpp and
// attention_avx2.cpp include it within their namespaces, with the vocabulary of their tiles.
//
// Three orders of a [rows, channels] matrix, in units of 32 bits (ops/tile_avx512.h):
//   natural      [rows][width / per unit]     contracts over channels, as the left operand
//   interleaved  [rows / per unit][width]     contracts over rows, as either operand
//   panel        [channels / per unit][rows]  contracts over channels, as the right operand
// In FP32 a unit is a number, and interleaved is natural. `width` is the number of channels, padded.

template <Units kUnits>
constexpr int kPerUnit = kUnits == Units::fp32 ? 1 : 2;

struct Operand {
  Unit* natural;
  Unit* interleaved;  // equals natural for FP32; may be null where nobody contracts over rows
};

inline int64_t padded_width(int64_t head_dim) {
  return (head_dim + 31) / 32 * 32;
}

inline void load_row(const float* source, int64_t count, float* row) {
  int64_t c = 0;
  for (; c + kLanes <= count; c += kLanes) store(row + c, load(source + c));
  for (; c < count; ++c) row[c] = source[c];
}

inline void load_row(const Bf16Bits* source, int64_t count, float* row) {
  int64_t c = 0;
  for (; c + kLanes <= count; c += kLanes) store(row + c, load_bf16(source + c));
  for (; c < count; ++c) row[c] = __builtin_bit_cast(float, static_cast<uint32_t>(source[c]) << 16);
}

inline void store_row(const float* row, int64_t count, float* target) {
  load_row(row, count, target);
}

// Rounds to the nearest, ties to even; NaN stays NaN.
inline Bf16Bits round_to_bf16(float x) {
  const uint32_t bits = __builtin_bit_cast(uint32_t, x);
  return x != x ? 0x7fc0 : static_cast<Bf16Bits>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

inline void store_row(const float* row, int64_t count, Bf16Bits* target) {
  int64_t c = 0;
  for (; c + kLanes <= count; c += kLanes) {
    const Vec x = load(row + c);
    const IntVec bits = (IntVec)x;
    const IntVec rounded = ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) & 0xffff;
    const IntVec nan = rounded - rounded + 0x7fc0;
    store_short(target + c, (IntVec)(x != x) ? nan : rounded);
  }
  for (; c < count; ++c) target[c] = round_to_bf16(row[c]);
}

// Turns the pairs (c, c + half) of a row by the position's angles, or back with sign -1.
inline void rotate_row(const AttentionArguments& g, int64_t token, int64_t local_position, float sign,
                       float* row) {
  const int64_t half = g.rotary_half;
  const int64_t position = g.positions != nullptr ? g.positions[token] : local_position;
  const float* cos = g.cos + position * half;
  const float* sin = g.sin + position * half;
  int64_t c = 0;
  for (; c + kLanes <= half; c += kLanes) {
    const Vec x = load(row + c), y = load(row + c + half), cosine = load(cos + c),
              sine = load(sin + c) * sign;
    store(row + c, x * cosine - y * sine);
    store(row + c + half, y * cosine + x * sine);
  }
  for (; c < half; ++c) {
    const float x = row[c], y = row[c + half], sine = sin[c] * sign;
    row[c] = x * cos[c] - y * sine;
    row[c + half] = y * cos[c] + x * sine;
  }
}

// Rows of a head lie far apart; asks for one that will be read (or written) soon.
constexpr int64_t kRowsAhead = 16;

template <typename T>
inline void prefetch_row(const T* row, int64_t count) {
  const char* begin = reinterpret_cast<const char*>(row);
  for (int64_t byte = 0; byte < count * static_cast<int64_t>(sizeof(T)); byte += 64)
    __builtin_prefetch(begin + byte);
}

// Two rows, zero beyond the channels, into the orders of `out`, at row `index` (even).
template <Units kUnits>
inline void pack_rows(const float* first, const float* second, int64_t width, int64_t index,
                      const Operand& out) {
  if constexpr (kUnits == Units::fp32) {
    store_row(first, width, reinterpret_cast<float*>(out.natural) + index * width);
    store_row(second, width, reinterpret_cast<float*>(out.natural) + (index + 1) * width);
  } else {
    Unit* natural = out.natural + index * (width / 2);
    for (int64_t c = 0; c < width; c += 2 * kLanes) {
      store_int(natural + c / 2, bf16_row(load(first + c), load(first + c + kLanes)));
      store_int(natural + (width + c) / 2, bf16_row(load(second + c), load(second + c + kLanes)));
    }
    if (out.interleaved == nullptr) return;
    Unit* interleaved = out.interleaved + index / 2 * width;
    for (int64_t c = 0; c < width; c += kLanes) {
      store_int(interleaved + c, bf16_pairs(load(first + c), load(second + c)));
    }
  }
}

// `rows` rows of one head, `source_stride` elements apart, from token `token` of the document that starts at
// `document` on; rotated if asked; zero rows up to `padded_rows`. `row_buffer` [2][width].
template <typename T, Units kUnits>
void pack_head(const AttentionArguments& g, const T* source, int64_t source_stride, int64_t document,
               int64_t token, int64_t rows, int64_t padded_rows, bool rotate, float* row_buffer,
               const Operand& out) {
  const int64_t width = padded_width(g.head_dim);
  for (int64_t i = 0; i < 2 * width; ++i) row_buffer[i] = 0;
  for (int64_t index = 0; index < padded_rows; index += 2) {
    for (int64_t i = 0; i < 2; ++i) {
      float* row = row_buffer + i * width;
      if (index + i + kRowsAhead < rows)
        prefetch_row(source + (index + i + kRowsAhead) * source_stride, g.head_dim);
      if (index + i < rows) {
        load_row(source + (index + i) * source_stride, g.head_dim, row);
        if (rotate) rotate_row(g, token + index + i, token + index + i - document, 1.0F, row);
      } else {
        for (int64_t c = 0; c < width; ++c) row[c] = 0;
      }
    }
    pack_rows<kUnits>(row_buffer, row_buffer + width, width, index, out);
  }
}

// out[j][i] = in[i][j] for i < rows, j < columns, both multiples of kLanes.
inline void transpose(const Unit* in, int64_t in_stride, int64_t rows, int64_t columns, Unit* out,
                      int64_t out_stride) {
  for (int64_t i = 0; i < rows; i += kLanes) {
    for (int64_t j = 0; j < columns; j += kLanes) {
      IntVec block[kLanes];
      for (int64_t k = 0; k < kLanes; ++k) block[k] = load_int(in + (i + k) * in_stride + j);
      transpose_block(block);
      for (int64_t k = 0; k < kLanes; ++k) store_int(out + (j + k) * out_stride + i, block[k]);
    }
  }
}

// 2^x for x up to 127; 0 far below, -infinity included; NaN stays NaN.
inline Vec exp2(Vec x) {
  x = maximum(broadcast(kLeastPower), x);
  const Vec n = nearest(x);
  const Vec r = x - n;
  Vec p = broadcast(1.5353361444e-4F);
  p = fused(p, r, broadcast(1.3398874570e-3F));
  p = fused(p, r, broadcast(9.6184373608e-3F));
  p = fused(p, r, broadcast(5.5503324706e-2F));
  p = fused(p, r, broadcast(2.4022647914e-1F));
  p = fused(p, r, broadcast(6.9314720286e-1F));
  p = fused(p, r, broadcast(1.0F));
  return scale_by_power(p, n);
}

// Scores of one key against kTileColumns queries, of which the first `future` come before the key.
inline void hide_future(int64_t future, Vec (&scores)[2]) {
  IntVec lane = {};
  for (int i = 0; i < kLanes; ++i) lane[i] = i;
  const Vec hidden = broadcast(-__builtin_inff());
  for (int j = 0; j < 2; ++j) {
    const IntVec is_future = lane + j * kLanes < lane - lane + static_cast<int32_t>(future);
    scores[j] = is_future ? hidden : scores[j];
  }
}

// Dropout multipliers [keys][kTileColumns] of a tile; 0 for queries beyond `queries`.
inline void dropout_tile(const AttentionArguments& g, int64_t head, int64_t first_query, int64_t queries,
                         int64_t first_key, int64_t keys, float* row, float* tile) {
  for (int64_t q = 0; q < kTileColumns; ++q) {
    if (q < queries) {
      g.dropout->multipliers(head, first_query + q, first_key, keys, row);
      for (int64_t k = 0; k < keys; ++k) tile[k * kTileColumns + q] = row[k];
    } else {
      for (int64_t k = 0; k < keys; ++k) tile[k * kTileColumns + q] = 0;
    }
  }
}
