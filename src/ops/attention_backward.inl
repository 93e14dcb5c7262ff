// The backward of attention, one task a document and query head. For a block of keys and a span of queries it
// computes, transposed ([keys][queries], see attention_forward.inl),
//   P = softmax(scale · K Qᵀ) from the saved statistics,   dP = V dOᵀ,   dS = P ∘ (dP - δ), δ = Σ_c O ∘ dO,
// and adds  dV += P dO,  dK += dS Q  (the block's, in FP32) and  dQᵀ += Kᵀ dS  (the head's, in FP32). The
// sums of dK and dV over the query heads of a group follow in a pass of their own, in the order of the heads.

constexpr int64_t kBackwardKeys = 64;  // keys per block
constexpr int64_t kBackwardSpan = 64;  // queries per block

// One head's queries of one document in every order, and what its blocks add up.
struct BackwardScratch {
  Operand queries, douts;                // [rows][width]
  Unit *query_panels, *dout_panels;      // [rows / kTileColumns][width / per unit][kTileColumns]
  float* dqueries;                       // [rows / kTileColumns][width][kTileColumns]
  float *maxima, *inverse_sums, *delta;  // [rows]
  Unit *p, *ds;                          // natural [kBackwardKeys][kBackwardSpan / per unit]
  Unit* ds_interleaved;                  // [kBackwardKeys / per unit][kBackwardSpan]; FP32: ds
  float *dkeys, *dvalues;                // [kBackwardKeys][width]
  float* rows;                           // [kTileColumns][width]
  float* dropout;                        // [kBackwardKeys][kTileColumns]
  float* dropout_row;                    // [kBackwardKeys]
};

template <Units kUnits>
BackwardScratch backward_scratch(int64_t padded_rows, int64_t width) {
  thread_local AlignedBuffer buffer;
  const int64_t matrix = padded_rows * width;
  const int64_t tile = kBackwardKeys * kBackwardSpan;
  float* memory = buffer.get<float>(7 * matrix + 3 * padded_rows + 3 * tile + 2 * kBackwardKeys * width +
                                    kTileColumns * width + kBackwardKeys * (kTileColumns + 1));
  const auto take = [&memory](int64_t count) {
    float* part = memory;
    memory += count;
    return part;
  };
  const auto take_units = [&take](int64_t count) { return reinterpret_cast<Unit*>(take(count)); };
  constexpr bool kSame = kUnits == Units::fp32;
  BackwardScratch s{};
  s.queries.natural = take_units(matrix);
  s.queries.interleaved = kSame ? s.queries.natural : take_units(matrix);
  s.douts.natural = take_units(matrix);
  s.douts.interleaved = kSame ? s.douts.natural : take_units(matrix);
  s.query_panels = take_units(matrix);
  s.dout_panels = take_units(matrix);
  s.dqueries = take(matrix);
  s.maxima = take(padded_rows);
  s.inverse_sums = take(padded_rows);
  s.delta = take(padded_rows);
  s.p = take_units(tile);
  s.ds = take_units(tile);
  s.ds_interleaved = kSame ? s.ds : take_units(tile);
  s.dkeys = take(kBackwardKeys * width);
  s.dvalues = take(kBackwardKeys * width);
  s.rows = take(kTileColumns * width);
  s.dropout = take(kBackwardKeys * kTileColumns);
  s.dropout_row = take(kBackwardKeys);
  return s;
}

// Packs the head's queries and output gradients, and computes δ. Padding rows get P = 0 and δ = 0.
template <typename T, Units kUnits>
void backward_prepare(const AttentionArguments& g, const AttentionDocument& document, int64_t head,
                      int64_t padded_rows, const BackwardScratch& s) {
  const int64_t width = padded_width(g.head_dim), per_group = g.heads / g.kv_heads;
  const int64_t stride = (g.heads + 2 * g.kv_heads) * g.head_dim, out_stride = g.heads * g.head_dim;
  const T* queries = static_cast<const T*>(g.qkv) + document.first * stride +
                     (head / per_group * (per_group + 2) + head % per_group) * g.head_dim;
  const int64_t out_offset = document.first * out_stride + head * g.head_dim;
  const T* douts = static_cast<const T*>(g.dout) + out_offset;
  const T* outs = static_cast<const T*>(g.out) + out_offset;
  pack_head<T, kUnits>(g, queries, stride, document.first, document.first, document.length, padded_rows,
                       g.rotary_half > 0, s.rows, s.queries);
  pack_head<T, kUnits>(g, douts, out_stride, document.first, document.first, document.length, padded_rows,
                       false, s.rows, s.douts);
  const int64_t units = width / kPerUnit<kUnits>;
  for (int64_t row = 0; row < padded_rows; row += kTileColumns) {
    transpose(s.queries.natural + row * units, units, kTileColumns, units, s.query_panels + row * units,
              kTileColumns);
    transpose(s.douts.natural + row * units, units, kTileColumns, units, s.dout_panels + row * units,
              kTileColumns);
  }
  float *a = s.rows, *b = s.rows + width;
  for (int64_t c = 0; c < 2 * width; ++c) s.rows[c] = 0;
  for (int64_t row = 0; row < padded_rows; ++row) {
    const bool exists = row < document.length;
    const int64_t statistic = head * g.tokens + document.first + row;
    s.maxima[row] = exists ? g.maxima[statistic] : 0;
    s.inverse_sums[row] = exists ? g.inverse_sums[statistic] : 0;
    s.delta[row] = 0;
    if (!exists) continue;
    if (row + kRowsAhead < document.length) {
      prefetch_row(outs + (row + kRowsAhead) * out_stride, g.head_dim);
      prefetch_row(douts + (row + kRowsAhead) * out_stride, g.head_dim);
    }
    load_row(outs + row * out_stride, g.head_dim, a);
    load_row(douts + row * out_stride, g.head_dim, b);
    Vec sum = broadcast(0);
    for (int64_t c = 0; c < width; c += kLanes) sum = fused(load(a + c), load(b + c), sum);
    s.delta[row] = sum_lanes(sum);
  }
  for (int64_t i = 0; i < padded_rows * width; i += kLanes) store(s.dqueries + i, broadcast(0));
}

// Where a tile of probabilities lies: keys [key, last) of the block that starts at `block`, queries from
// `query` on, `column` of the span's buffers.
struct TilePlace {
  int64_t block, last, query, column;
};

// Two rows, `row` (even) and the next, of a tile into a buffer of the span in natural order, and interleaved
// if asked.
template <Units kUnits>
inline void store_pair(const Vec (&x)[2][2], int64_t row, int64_t column, Unit* natural, Unit* interleaved) {
  constexpr int64_t kRowUnits = kBackwardSpan / kPerUnit<kUnits>;
  for (int i = 0; i < 2; ++i) {
    Unit* out = natural + (row + i) * kRowUnits + column / kPerUnit<kUnits>;
    if constexpr (kUnits == Units::fp32) {
      store_int(out, (IntVec)x[i][0]);
      store_int(out + kLanes, (IntVec)x[i][1]);
    } else {
      store_int(out, bf16_row(x[i][0], x[i][1]));
    }
  }
  if constexpr (kUnits == Units::bf16_pairs) {
    if (interleaved == nullptr) return;
    for (int j = 0; j < 2; ++j) {
      store_int(interleaved + row / 2 * kBackwardSpan + column + j * kLanes, bf16_pairs(x[0][j], x[1][j]));
    }
  }
}

// P and dS of one tile.
template <Units kUnits>
void backward_tile(const AttentionArguments& g, const Unit* keys, const Unit* values, const TilePlace& place,
                   const BackwardScratch& s) {
  const int64_t row_units = padded_width(g.head_dim) / kPerUnit<kUnits>,
                depth = g.head_dim / kPerUnit<kUnits>;
  const Unit* query_panel = s.query_panels + place.query * row_units;
  const Unit* dout_panel = s.dout_panels + place.query * row_units;
  const Vec factor = broadcast(g.scale * 1.44269504088896341F);
  for (int64_t key = place.block; key < place.last; key += kTileRows) {
    float p_tile[kTileRows][kTileColumns];
    Vec sums[kTileRows][2];
    clear_tile(sums);
    multiply_tile<kTileRows, kUnits>(depth, keys + key * row_units, row_units, 1, query_panel, kTileColumns,
                                     sums);
#pragma GCC unroll 8
    for (int i = 0; i < kTileRows; ++i) {
      Vec scores[2];
      for (int j = 0; j < 2; ++j) {
        scores[j] = sums[i][j] * factor - load(s.maxima + place.query + j * kLanes);
      }
      if (key + i > place.query) hide_future(key + i - place.query, scores);
      for (int j = 0; j < 2; ++j) {
        store(p_tile[i] + j * kLanes, exp2(scores[j]) * load(s.inverse_sums + place.query + j * kLanes));
      }
    }
    clear_tile(sums);
    multiply_tile<kTileRows, kUnits>(depth, values + key * row_units, row_units, 1, dout_panel, kTileColumns,
                                     sums);
    const float* dropout = g.dropout == nullptr ? nullptr : s.dropout + (key - place.block) * kTileColumns;
#pragma GCC unroll 4
    for (int i = 0; i < kTileRows; i += 2) {
      Vec p[2][2], ds[2][2];
      for (int k = 0; k < 2; ++k) {
        for (int j = 0; j < 2; ++j) {
          Vec dp = sums[i + k][j];
          p[k][j] = load(p_tile[i + k] + j * kLanes);
          if (dropout != nullptr) dp = dp * load(dropout + (i + k) * kTileColumns + j * kLanes);
          ds[k][j] = p[k][j] * (dp - load(s.delta + place.query + j * kLanes));
          if (dropout != nullptr) p[k][j] = p[k][j] * load(dropout + (i + k) * kTileColumns + j * kLanes);
        }
      }
      store_pair<kUnits>(p, key - place.block + i, place.column, s.p, nullptr);
      store_pair<kUnits>(ds, key - place.block + i, place.column, s.ds, s.ds_interleaved);
    }
  }
}

// out [rows][width] += left [rows][columns] (natural) · right [columns][width] (interleaved).
template <Units kUnits>
void add_product(int64_t rows, int64_t columns, const Unit* left, const Unit* right, int64_t width,
                 float* out) {
  constexpr int64_t kRowUnits = kBackwardSpan / kPerUnit<kUnits>;
  for (int64_t channel = 0; channel < width; channel += kTileColumns) {
    for (int64_t row = 0; row < rows; row += kTileRows) {
      float* target = out + row * width + channel;
      Vec sums[kTileRows][2];
#pragma GCC unroll 8
      for (int i = 0; i < kTileRows; ++i) {
        for (int j = 0; j < 2; ++j) sums[i][j] = load(target + i * width + j * kLanes);
      }
      multiply_tile<kTileRows, kUnits>(columns / kPerUnit<kUnits>, left + row * kRowUnits, kRowUnits, 1,
                                       right + channel, width, sums);
#pragma GCC unroll 8
      for (int i = 0; i < kTileRows; ++i) {
        for (int j = 0; j < 2; ++j) store(target + i * width + j * kLanes, sums[i][j]);
      }
    }
  }
}

// All that the block of keys [block, block + rows) takes part in.
template <Units kUnits>
void backward_block(const AttentionArguments& g, const AttentionDocument& document, int64_t head,
                    int64_t padded_rows, const Operand& keys, const Unit* values, int64_t block, int64_t rows,
                    const BackwardScratch& s) {
  constexpr int kPer = kPerUnit<kUnits>;
  const int64_t width = padded_width(g.head_dim);
  for (int64_t i = 0; i < rows * width; i += kLanes) {
    store(s.dkeys + i, broadcast(0));
    store(s.dvalues + i, broadcast(0));
  }
  for (int64_t span = block; span < padded_rows; span += kBackwardSpan) {
    const int64_t columns = padded_rows - span < kBackwardSpan ? padded_rows - span : kBackwardSpan;
    for (int64_t column = 0; column < columns; column += kTileColumns) {
      const int64_t query = span + column, end = query + kTileColumns;
      const TilePlace place{block, end < block + rows ? end : block + rows, query, column};
      if (g.dropout != nullptr) {
        dropout_tile(g, head, document.first + query, document.length - query, document.first + block,
                     place.last - block, s.dropout_row, s.dropout);
      }
      backward_tile<kUnits>(g, keys.natural, values, place, s);
      const Vec zero[2][2] = {};
      for (int64_t row = place.last - block; row < rows; row += 2) {
        store_pair<kUnits>(zero, row, column, s.p, nullptr);
        store_pair<kUnits>(zero, row, column, s.ds, nullptr);
      }
      float* dqueries = s.dqueries + query * width;
      for (int64_t channel = 0; channel < g.head_dim; channel += kTileRows) {
        float* out = dqueries + channel * kTileColumns;
        Vec sums[kTileRows][2];
#pragma GCC unroll 8
        for (int i = 0; i < kTileRows; ++i) {
          for (int j = 0; j < 2; ++j) sums[i][j] = load(out + i * kTileColumns + j * kLanes);
        }
        multiply_tile<kTileRows, kUnits>((place.last - block) / kPer,
                                         keys.interleaved + block / kPer * width + channel, 1, width,
                                         s.ds_interleaved + column, kBackwardSpan, sums);
#pragma GCC unroll 8
        for (int i = 0; i < kTileRows; ++i) {
          for (int j = 0; j < 2; ++j) store(out + i * kTileColumns + j * kLanes, sums[i][j]);
        }
      }
    }
    add_product<kUnits>(rows, columns, s.p, s.douts.interleaved + span / kPer * width, width, s.dvalues);
    add_product<kUnits>(rows, columns, s.ds, s.queries.interleaved + span / kPer * width, width, s.dkeys);
  }
}

// Writes the head's dQ, turned back.
template <typename T>
void finish_queries(const AttentionArguments& g, const AttentionDocument& document, int64_t head,
                    const BackwardScratch& s) {
  const int64_t width = padded_width(g.head_dim), per_group = g.heads / g.kv_heads;
  const int64_t stride = (g.heads + 2 * g.kv_heads) * g.head_dim;
  T* target = static_cast<T*>(g.dqkv) + document.first * stride +
              (head / per_group * (per_group + 2) + head % per_group) * g.head_dim;
  for (int64_t query = 0; query < document.length; query += kTileColumns) {
    transpose(reinterpret_cast<const Unit*>(s.dqueries + query * width), kTileColumns, width, kTileColumns,
              reinterpret_cast<Unit*>(s.rows), width);
    for (int64_t i = 0; i < kTileColumns && query + i < document.length; ++i) {
      float* row = s.rows + i * width;
      for (int64_t c = 0; c < width; c += kLanes) store(row + c, load(row + c) * g.scale);
      if (g.rotary_half > 0) rotate_row(g, document.first + query + i, query + i, -1.0F, row);
      store_row(row, g.head_dim, target + (query + i) * stride);
    }
  }
}

// Sums dK and dV over the heads of each group and writes them, dK turned back. `partial` [2][heads][padded
// rows][width].
template <typename T>
void finish_keys_and_values(const AttentionArguments& g, const float* partial) {
  const int64_t width = padded_width(g.head_dim), per_group = g.heads / g.kv_heads;
  const int64_t stride = (g.heads + 2 * g.kv_heads) * g.head_dim, matrix = g.padded_rows * width;
  parallel_tasks(g.task_count, [&](int64_t index) {
    thread_local AlignedBuffer buffer;
    float* row = buffer.get<float>(width);
    const AttentionTask& task = g.tasks[index];
    const AttentionDocument& document = g.documents[task.document];
    for (int64_t query = task.query; query < task.query + kQuerySpan && query < document.length; ++query) {
      T* target = static_cast<T*>(g.dqkv) + (document.first + query) * stride;
      for (int64_t group = 0; group < g.kv_heads; ++group) {
        for (int64_t which = 0; which < 2; ++which) {
          const float* from = partial + (which * g.heads + group * per_group) * matrix +
                              (document.first_padded + query) * width;
          for (int64_t c = 0; c < width; c += kLanes) {
            Vec sum = load(from + c);
            for (int64_t head = 1; head < per_group; ++head) sum = sum + load(from + head * matrix + c);
            store(row + c, which == 0 ? sum * g.scale : sum);
          }
          if (which == 0 && g.rotary_half > 0) rotate_row(g, document.first + query, query, -1.0F, row);
          store_row(row, g.head_dim, target + (group * (per_group + 2) + per_group + which) * g.head_dim);
        }
      }
    }
  });
}

template <typename T, Units kUnits>
void backward(const AttentionArguments& g) {
  constexpr int kPer = kPerUnit<kUnits>;
  const int64_t width = padded_width(g.head_dim), matrix = g.padded_rows * width,
                units = g.kv_heads * matrix / kPer;
  thread_local AlignedBuffer packed_buffer, partial_buffer;
  Unit* memory = packed_buffer.get<Unit>(3 * units);
  const Operand keys{memory, kUnits == Units::fp32 ? memory : memory + units};
  const Operand values{memory + 2 * units, nullptr};
  float* partial = partial_buffer.get<float>(2 * g.heads * matrix);
  pack_keys_and_values<T, kUnits>(g, keys, values);
  parallel_tasks(g.document_count * g.heads, [&](int64_t index) {
    const int64_t head = index % g.heads;
    const AttentionDocument& document = g.documents[index / g.heads];
    const int64_t padded_rows = (document.length + kQuerySpan - 1) / kQuerySpan * kQuerySpan;
    const BackwardScratch s = backward_scratch<kUnits>(padded_rows, width);
    backward_prepare<T, kUnits>(g, document, head, padded_rows, s);
    const int64_t offset =
        (head / (g.heads / g.kv_heads) * g.padded_rows + document.first_padded) * width / kPer;
    float* dkeys = partial + head * matrix + document.first_padded * width;
    for (int64_t block = 0; block < padded_rows; block += kBackwardKeys) {
      const int64_t rows = padded_rows - block < kBackwardKeys ? padded_rows - block : kBackwardKeys;
      backward_block<kUnits>(g, document, head, padded_rows,
                             {keys.natural + offset, keys.interleaved + offset}, values.natural + offset,
                             block, rows, s);
      for (int64_t i = 0; i < rows * width; i += kLanes) {
        store(dkeys + block * width + i, load(s.dkeys + i));
        store(dkeys + g.heads * matrix + block * width + i, load(s.dvalues + i));
      }
    }
    finish_queries<T>(g, document, head, s);
  });
  finish_keys_and_values<T>(g, partial);
}
