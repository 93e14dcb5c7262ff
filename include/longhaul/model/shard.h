// How a parameter's *global* tensor is cut over the tensor-parallel ranks. Checkpoints, import, export,
// initialisation, gradient sums and the optimiser all read this one description; none has a table of its own.
#pragma once

#include <cstdint>
#include <vector>

namespace longhaul {

enum class Init { zeros, ones, normal };

// Rows of a fused QKV projection: `groups` blocks, each of `query` rows, which may be cut further, and `shared` rows
// (a key and a value head), which every rank that has some of those queries needs.
struct QkvRows {
  int64_t groups = 0;  // 0: the rows are of no such kind
  int64_t query = 0;
  int64_t shared = 0;
};

struct ShardSpec {
  std::vector<int64_t> global_shape;  // true shape, without vocabulary padding
  int tensor_dim = -1;                // the dimension that tensor parallelism cuts; -1: replicated
  int parts = 1;                      // blocks along tensor_dim that are cut one by one (2 for gate and up)
  QkvRows qkv{};                      // how dimension 0 is cut, where it is a fused QKV's
  bool per_token = false;    // replicated, and used token by token: under sequence parallelism gradients are partial
  bool vocabulary = false;   // dimension 0 is the vocabulary, padded in memory
  bool copy = false;         // a tied weight's second home: another pipeline stage owns it
  bool weight_decay = true;  // false for biases and norm weights
  Init init = Init::normal;
  double init_std = 0.02;
};

// Which of the tensor-parallel ranks, and to what a vocabulary is padded in memory.
struct TensorCut {
  int rank = 0;
  int size = 1;
  int64_t vocab_multiple = 1;  // of each rank's rows
};

// A part of the global tensor that a rank holds: [begin, begin + length) along `dim`, whole in the others.
struct Block {
  int dim = 0;
  int64_t begin = 0;
  int64_t length = 0;
  int holders = 1;    // so many tensor-parallel ranks, neighbours, hold this very block
  bool owned = true;  // this rank counts it in norms and writes it to checkpoints; of all holders one does
};

// Rows of a table over the vocabulary that each of `ranks` tensor-parallel ranks has in memory, padding included: all
// have equally many, a multiple of `vocab_multiple`.
int64_t vocabulary_rows(int64_t vocab_size, int64_t vocab_multiple, int64_t ranks);

// This rank's blocks, which lie one after another along their dimension in the local tensor; after a vocabulary's
// comes padding. UserError when the ranks can't share the tensor evenly.
std::vector<Block> blocks_of(const ShardSpec& shard, const TensorCut& cut);
// The local tensor's shape, padding included.
std::vector<int64_t> local_shape(const ShardSpec& shard, const TensorCut& cut);

}  // namespace longhaul
