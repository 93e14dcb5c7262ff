// Merges one word. Short words look at all pairs for the lowest rank, which is fastest there; long ones keep
// the pairs in a heap, so that n symbols take O(n log n) even when the "word" is a document.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "data/tokenizer/merge_table.h"

namespace longhaul::tokenizer {

class BpeMerger {
 public:
  // The symbols of the word, to be filled in; `merge` leaves the merged ones there.
  std::vector<int32_t> symbols;
  // If so asked, how many bytes of the word each of them stands for.
  bool track_lengths = false;
  std::vector<size_t> lengths;

  void push(int32_t symbol, size_t length) {
    symbols.push_back(symbol);
    if (track_lengths) lengths.push_back(length);
  }
  void merge(const MergeTable& merges);

 private:
  void merge_short(const MergeTable& merges);
  void merge_long(const MergeTable& merges);

  std::vector<MergeTable::Merge> pairs_;  // of each symbol and the next
  std::vector<uint32_t> previous_;        // the word as a list, for the heap
  std::vector<uint32_t> next_;
  std::vector<uint64_t> heap_;  // rank << 32 | position of the left symbol
};

}  // namespace longhaul::tokenizer
