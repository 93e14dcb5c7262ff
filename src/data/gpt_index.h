// The order of a GPT dataset, as Megatron's GPTDataset builds it. Three arrays make it:
//
//   document index  [epochs · sequences]  sequence numbers, shuffled: the stream of tokens
//   sample index    [samples + 1, 2]      where each sample starts: (place in the document index, offset)
//   shuffle index   [samples]             which sample is served i-th
//
// A sample takes S + 1 tokens and the next starts S further, so that the last label of one is the first input
// of the next. When several epochs are needed but less than 80 % of the last one, the last is shuffled on its
// own, so that the earlier epochs are served whole before it begins.
//
// How many epochs there are thus decides how all of them are shuffled: a run that is made longer gets another order. A
// stable order shuffles each epoch on its own, with generators of its own, so that more epochs only come behind; it
// isn't Megatron's.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "data/index_array.h"
#include "data/index_array_writer.h"
#include "longhaul/data/split.h"

namespace longhaul {

class IndexedDatasetReader;

// What the order depends on.
struct GptOrder {
  SequenceRange sequences;         // of the reader
  int64_t sequence_length = 0;     // S ≥ 1
  std::optional<int64_t> samples;  // at least so many; none: one epoch
  uint32_t seed = 1234;
  bool drop_last = true;  // false: a last, partial sample is kept and padded
  bool stable = false;    // each epoch is shuffled on its own
};

struct EpochPlan {
  int64_t tokens_per_epoch = 0;
  int64_t epochs = 1;
  bool separate_last = false;       // the last epoch is shuffled on its own
  int64_t samples = 0;              // in all epochs
  int64_t samples_before_last = 0;  // those that the epochs before the last provide; `samples` unless separate_last
};

struct GptIndex {
  IndexArray documents;
  IndexArray samples;
  IndexArray shuffle;
};

// Throws UserError, starting with `what` (e.g. "the valid split (…) of PREFIX"), when there is not a single
// token or sample.
EpochPlan plan_epochs(const IndexedDatasetReader& reader, const GptOrder& order, const std::string& what);

// Where build_gpt_index puts the arrays.
struct GptIndexWriters {
  IndexArrayWriter& documents;
  IndexArrayWriter& samples;
  IndexArrayWriter& shuffle;
};
// Memory: the two shuffled arrays, one after the other, since a shuffle goes everywhere at once: 4 bytes a sequence and
// epoch, then 4 bytes a sample (8 from 2^32 - 2 samples on). The sample index is never held; 2 bytes a sequence for it
// are. gpt_index_memory() tells how much that is, in bytes.
void build_gpt_index(const IndexedDatasetReader& reader, const GptOrder& order, const EpochPlan& plan,
                     GptIndexWriters arrays);

int64_t gpt_index_memory(const GptOrder& order, const EpochPlan& plan);

// The types that build_gpt_index gives the arrays; a cached index must have the same.
IndexArray::Type sample_index_type(const GptOrder& order, const EpochPlan& plan);
IndexArray::Type shuffle_index_type(const EpochPlan& plan);

}  // namespace longhaul
