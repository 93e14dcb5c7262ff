// The forward of attention. Scores are computed transposed, [keys][queries of the tile], so that maxima, sums
// and exponentials run down the rows, 16 or 32 queries at a time, and the probabilities already lie as the
// product with the values wants them. See attention_rows.inl for the operands' orders.

constexpr int64_t kForwardKeys = 128;  // keys per block

// What the queries of a tile carry from block to block.
struct TileState {
  Vec maximum[2];
  Vec sum[2];
};

struct ForwardScratch {
  Unit* rows;           // queries, natural [kTileColumns][width / per unit]
  Unit* panel;          // queries, panel [width / per unit][kTileColumns]
  float* scores;        // [kForwardKeys][kTileColumns]
  Unit* probabilities;  // interleaved over the keys [kForwardKeys / per unit][kTileColumns]; FP32: the scores
  float* output;        // [width][kTileColumns]
  float* out_rows;      // [kTileColumns][width]
  float* row_buffer;    // [2][width]
  float* dropout;       // [kForwardKeys][kTileColumns]
  float* dropout_row;   // [kForwardKeys]
};

inline ForwardScratch forward_scratch(int64_t width) {
  thread_local AlignedBuffer buffer;
  float* memory = buffer.get<float>(4 * kTileColumns * width + 2 * width + 3 * kForwardKeys * kTileColumns +
                                    kForwardKeys);
  const auto take = [&memory](int64_t count) {
    float* part = memory;
    memory += count;
    return part;
  };
  ForwardScratch s{};
  s.rows = reinterpret_cast<Unit*>(take(kTileColumns * width));
  s.panel = reinterpret_cast<Unit*>(take(kTileColumns * width));
  s.output = take(kTileColumns * width);
  s.out_rows = take(kTileColumns * width);
  s.row_buffer = take(2 * width);
  s.scores = take(kForwardKeys * kTileColumns);
  s.probabilities = reinterpret_cast<Unit*>(take(kForwardKeys * kTileColumns));
  s.dropout = take(kForwardKeys * kTileColumns);
  s.dropout_row = take(kForwardKeys);
  return s;
}

// scores[key - first][query] of the keys [first, last); returns the tile's new maxima.
template <Units kUnits>
void forward_scores(const AttentionArguments& g, const Unit* keys, int64_t first, int64_t last, int64_t query,
                    const ForwardScratch& s, Vec (&maxima)[2]) {
  const int64_t row_units = padded_width(g.head_dim) / kPerUnit<kUnits>;
  const Vec factor = broadcast(g.scale * 1.44269504088896341F);  // to units of log 2
  for (int64_t key = first; key < last; key += kTileRows) {
    Vec sums[kTileRows][2];
    clear_tile(sums);
    multiply_tile<kTileRows, kUnits>(g.head_dim / kPerUnit<kUnits>, keys + key * row_units, row_units, 1,
                                     s.panel, kTileColumns, sums);
    float* out = s.scores + (key - first) * kTileColumns;
#pragma GCC unroll 8
    for (int i = 0; i < kTileRows; ++i) {
      Vec scaled[2] = {sums[i][0] * factor, sums[i][1] * factor};
      if (key + i > query) hide_future(key + i - query, scaled);
      for (int j = 0; j < 2; ++j) {
        maxima[j] = maximum(maxima[j], scaled[j]);
        store(out + i * kTileColumns + j * kLanes, scaled[j]);
      }
    }
  }
}

// Turns scores into probabilities (not yet divided by their sums) and adds them up.
template <Units kUnits>
void forward_probabilities(const AttentionArguments& g, int64_t rows, const ForwardScratch& s,
                           TileState& state) {
  const bool drops = g.dropout != nullptr;
  for (int64_t row = 0; row < rows; row += 2) {
    Vec p[2][2];
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
#pragma GCC unroll 2
      for (int j = 0; j < 2; ++j) {
        const int64_t at = (row + i) * kTileColumns + j * kLanes;
        p[i][j] = exp2(load(s.scores + at) - state.maximum[j]);
        state.sum[j] = state.sum[j] + p[i][j];
        if (drops) p[i][j] = p[i][j] * load(s.dropout + at);
        if constexpr (kUnits == Units::fp32) store(s.scores + at, p[i][j]);
      }
    }
    if constexpr (kUnits == Units::bf16_pairs) {
      for (int j = 0; j < 2; ++j) {
        store_int(s.probabilities + row / 2 * kTileColumns + j * kLanes, bf16_pairs(p[0][j], p[1][j]));
      }
    }
  }
}

// output [channels][queries] = output · decay + valuesᵀ · probabilities.
template <Units kUnits>
void forward_values(const AttentionArguments& g, const Unit* values, int64_t rows, const Unit* probabilities,
                    const Vec (&decay)[2], float* output) {
  const int64_t width = padded_width(g.head_dim);
  for (int64_t channel = 0; channel < g.head_dim; channel += kTileRows) {
    float* out = output + channel * kTileColumns;
    Vec sums[kTileRows][2];
#pragma GCC unroll 8
    for (int i = 0; i < kTileRows; ++i) {
      for (int j = 0; j < 2; ++j) sums[i][j] = load(out + i * kTileColumns + j * kLanes) * decay[j];
    }
    multiply_tile<kTileRows, kUnits>(rows / kPerUnit<kUnits>, values + channel, 1, width, probabilities,
                                     kTileColumns, sums);
#pragma GCC unroll 8
    for (int i = 0; i < kTileRows; ++i) {
      for (int j = 0; j < 2; ++j) store(out + i * kTileColumns + j * kLanes, sums[i][j]);
    }
  }
}

// Divides by the sums, turns the output round and writes it and the statistics.
template <typename T>
void forward_finish(const AttentionArguments& g, const AttentionDocument& document, int64_t head,
                    int64_t query, const ForwardScratch& s, const TileState& state) {
  const int64_t width = padded_width(g.head_dim);
  float statistics[2][kTileColumns];
  for (int j = 0; j < 2; ++j) {
    const Vec inverse = broadcast(1.0F) / state.sum[j];
    store(statistics[0] + j * kLanes, state.maximum[j]);
    store(statistics[1] + j * kLanes, inverse);
    for (int64_t channel = 0; channel < g.head_dim; ++channel) {
      float* out = s.output + channel * kTileColumns + j * kLanes;
      store(out, load(out) * inverse);
    }
  }
  transpose(reinterpret_cast<const Unit*>(s.output), kTileColumns, width, kTileColumns,
            reinterpret_cast<Unit*>(s.out_rows), width);
  const int64_t count = document.length - query < kTileColumns ? document.length - query : kTileColumns;
  const int64_t token = document.first + query;
  for (int64_t i = 0; i < count; ++i) {
    store_row(s.out_rows + i * width, g.head_dim,
              static_cast<T*>(g.out) + ((token + i) * g.heads + head) * g.head_dim);
    g.maxima[head * g.tokens + token + i] = statistics[0][i];
    g.inverse_sums[head * g.tokens + token + i] = statistics[1][i];
  }
}

// kTileColumns queries of one head, from `query` of the document on.
template <typename T, Units kUnits>
void forward_tile(const AttentionArguments& g, const AttentionDocument& document, int64_t head, int64_t query,
                  const Unit* keys, const Unit* values) {
  const int64_t width = padded_width(g.head_dim), per_group = g.heads / g.kv_heads;
  const ForwardScratch s = forward_scratch(width);
  const int64_t queries = document.length - query < kTileColumns ? document.length - query : kTileColumns;
  const int64_t stride = (g.heads + 2 * g.kv_heads) * g.head_dim;
  const int64_t token = document.first + query;
  const T* source = static_cast<const T*>(g.qkv) + token * stride +
                    (head / per_group * (per_group + 2) + head % per_group) * g.head_dim;
  pack_head<T, kUnits>(g, source, stride, document.first, token, queries, kTileColumns, g.rotary_half > 0,
                       s.row_buffer, {s.rows, nullptr});
  transpose(s.rows, width / kPerUnit<kUnits>, kTileColumns, width / kPerUnit<kUnits>, s.panel, kTileColumns);
  for (int64_t i = 0; i < width * kTileColumns; i += kLanes) store(s.output + i, broadcast(0));

  const Vec none = broadcast(-__builtin_inff()), zero = broadcast(0);
  TileState state{{none, none}, {zero, zero}};
  const int64_t end = query + kTileColumns;
  for (int64_t first = 0; first < end; first += kForwardKeys) {
    const int64_t last = end - first < kForwardKeys ? end : first + kForwardKeys;
    Vec maxima[2] = {state.maximum[0], state.maximum[1]};
    forward_scores<kUnits>(g, keys, first, last, query, s, maxima);
    Vec decay[2];
    for (int j = 0; j < 2; ++j) {
      decay[j] = exp2(state.maximum[j] - maxima[j]);
      state.sum[j] = state.sum[j] * decay[j];
      state.maximum[j] = maxima[j];
    }
    if (g.dropout != nullptr) {
      dropout_tile(g, head, token, queries, document.first + first, last - first, s.dropout_row, s.dropout);
    }
    forward_probabilities<kUnits>(g, last - first, s, state);
    const Unit* probabilities =
        kUnits == Units::fp32 ? reinterpret_cast<const Unit*>(s.scores) : s.probabilities;
    forward_values<kUnits>(g, values + first / kPerUnit<kUnits> * width, last - first, probabilities, decay,
                           s.output);
  }
  forward_finish<T>(g, document, head, query, s, state);
}

// Keys and values of every document and group, rotated and in order: [kv_heads][padded rows].
template <typename T, Units kUnits>
void pack_keys_and_values(const AttentionArguments& g, const Operand& keys, const Operand& values) {
  const int64_t width = padded_width(g.head_dim), per_group = g.heads / g.kv_heads;
  const int64_t stride = (g.heads + 2 * g.kv_heads) * g.head_dim;
  parallel_tasks(g.task_count, [&](int64_t index) {
    thread_local AlignedBuffer buffer;
    float* row_buffer = buffer.get<float>(2 * width);
    const AttentionTask& task = g.tasks[index];
    const AttentionDocument& document = g.documents[task.document];
    const int64_t left = document.length - task.query, rows = left < kQuerySpan ? left : kQuerySpan;
    const int64_t token = document.first + task.query;
    for (int64_t group = 0; group < g.kv_heads; ++group) {
      const T* source =
          static_cast<const T*>(g.qkv) + token * stride + (group * (per_group + 2) + per_group) * g.head_dim;
      const int64_t offset = (group * g.padded_rows + document.first_padded + task.query) * width;
      const auto part = [offset](const Operand& all) {
        constexpr int kPer = kPerUnit<kUnits>;
        return Operand{all.natural + offset / kPer,
                       all.interleaved == nullptr ? nullptr : all.interleaved + offset / kPer};
      };
      pack_head<T, kUnits>(g, source, stride, document.first, token, rows, kQuerySpan, g.rotary_half > 0,
                           row_buffer, part(keys));
      pack_head<T, kUnits>(g, source + g.head_dim, stride, document.first, token, rows, kQuerySpan, false,
                           row_buffer, part(values));
    }
  });
}

template <typename T, Units kUnits>
void forward(const AttentionArguments& g) {
  constexpr int kPer = kPerUnit<kUnits>;
  const int64_t width = padded_width(g.head_dim), units = g.kv_heads * g.padded_rows * width / kPer;
  thread_local AlignedBuffer buffer;
  Unit* memory = buffer.get<Unit>(3 * units);
  const Operand keys{memory, nullptr};
  const Operand values{memory + units, kUnits == Units::fp32 ? memory + units : memory + 2 * units};
  pack_keys_and_values<T, kUnits>(g, keys, values);
  parallel_tasks(g.heads * g.task_count, [&](int64_t index) {
    const int64_t head = index % g.heads;
    const AttentionTask& task = g.tasks[index / g.heads];
    const AttentionDocument& document = g.documents[task.document];
    const int64_t offset =
        (head / (g.heads / g.kv_heads) * g.padded_rows + document.first_padded) * width / kPer;
    for (int64_t query = task.query; query < task.query + kQuerySpan && query < document.length;
         query += kTileColumns) {
      forward_tile<T, kUnits>(g, document, head, query, keys.natural + offset, values.interleaved + offset);
    }
  });
}
