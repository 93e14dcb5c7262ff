#include "longhaul/model/shard.h"

#include <algorithm>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

int64_t divide(int64_t rows, int64_t by, const char* what) {
  if (rows % by != 0)
    throw UserError("{} {} do not divide by {} tensor-parallel ranks: lower parallel.tensor", rows, what, by);
  return rows / by;
}

int64_t padded_rows(const ShardSpec& shard, const TensorCut& cut) {
  return vocabulary_rows(shard.global_shape[0], cut.vocab_multiple, cut.size);
}

// More ranks than key/value groups: neighbours share a group's key and value.
std::vector<Block> shared_groups(const QkvRows& rows, const TensorCut& cut) {
  const int64_t sharers = cut.size / rows.groups, group = cut.rank / sharers, place = cut.rank % sharers;
  const int64_t base = group * (rows.query + rows.shared), query = divide(rows.query, sharers, "rows of query heads");
  return {
      {.begin = base + place * query, .length = query},
      {.begin = base + rows.query, .length = rows.shared, .holders = static_cast<int>(sharers), .owned = place == 0}};
}

}  // namespace

int64_t vocabulary_rows(int64_t vocab_size, int64_t vocab_multiple, int64_t ranks) {
  const int64_t multiple = vocab_multiple * ranks;
  return (vocab_size + multiple - 1) / multiple * vocab_multiple;
}

std::vector<Block> blocks_of(const ShardSpec& shard, const TensorCut& cut) {
  std::vector<Block> blocks;
  if (shard.tensor_dim < 0 || cut.size == 1) {
    blocks.push_back({.length = shard.global_shape[0], .holders = cut.size, .owned = cut.rank == 0});
  } else if (shard.vocabulary) {
    const int64_t rows = padded_rows(shard, cut), begin = std::min(cut.rank * rows, shard.global_shape[0]);
    blocks.push_back({.begin = begin, .length = std::min(rows, shard.global_shape[0] - begin)});
    if (blocks[0].length <= 0)
      throw UserError("a vocabulary of {} leaves no rows to tensor-parallel rank {} of {}: lower parallel.tensor",
                      shard.global_shape[0], cut.rank, cut.size);
  } else if (shard.qkv.groups > 0 && shard.qkv.groups % cut.size != 0) {
    if (cut.size % shard.qkv.groups != 0)
      throw UserError(
          "{} key/value heads neither divide by {} tensor-parallel ranks nor the other way round: choose "
          "another parallel.tensor",
          shard.qkv.groups, cut.size);
    blocks = shared_groups(shard.qkv, cut);
  } else {
    const int64_t part = divide(shard.global_shape[shard.tensor_dim], shard.parts, "rows");
    const int64_t length = divide(part, cut.size, shard.tensor_dim == 0 ? "rows" : "columns");
    for (int i = 0; i < shard.parts; ++i) {
      blocks.push_back({.dim = shard.tensor_dim, .begin = i * part + cut.rank * length, .length = length});
    }
  }
  if (shard.copy) {
    for (Block& block : blocks) block.owned = false;
  }
  return blocks;
}

std::vector<int64_t> local_shape(const ShardSpec& shard, const TensorCut& cut) {
  std::vector<int64_t> shape = shard.global_shape;
  if (shard.vocabulary) {
    shape[0] = padded_rows(shard, cut);
    return shape;
  }
  const std::vector<Block> blocks = blocks_of(shard, cut);
  int64_t length = 0;
  for (const Block& block : blocks) length += block.length;
  shape[blocks[0].dim] = length;
  return shape;
}

}  // namespace longhaul
