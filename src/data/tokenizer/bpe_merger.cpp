#include "data/tokenizer/bpe_merger.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "longhaul/core/error.h"

namespace longhaul::tokenizer {
namespace {

constexpr size_t kShort = 48;  // symbols
constexpr uint32_t kEnd = UINT32_MAX;
constexpr int32_t kMerged = -1;  // the symbol has gone into the one left of it

}  // namespace

void BpeMerger::merge(const MergeTable& merges) {
  if (symbols.size() < 2) return;
  if (symbols.size() <= kShort && !track_lengths) {
    merge_short(merges);
  } else {
    merge_long(merges);
  }
}

void BpeMerger::merge_short(const MergeTable& merges) {
  size_t count = symbols.size();
  int32_t* symbol = symbols.data();
  pairs_.resize(kShort);
  MergeTable::Merge* pair = pairs_.data();
  for (size_t i = 0; i + 1 < count; ++i) pair[i] = merges.find(symbol[i], symbol[i + 1]);
  while (count > 1) {
    size_t best = 0;
    for (size_t i = 1; i + 1 < count; ++i) {
      if (pair[i].rank < pair[best].rank) best = i;
    }
    if (pair[best].rank == MergeTable::kNone) break;
    symbol[best] = pair[best].id;
    std::copy(symbol + best + 2, symbol + count, symbol + best + 1);
    std::copy(pair + best + 1, pair + count - 1, pair + best);
    --count;
    if (best > 0) pair[best - 1] = merges.find(symbol[best - 1], symbol[best]);
    if (best + 1 < count) pair[best] = merges.find(symbol[best], symbol[best + 1]);
  }
  symbols.resize(count);
}

void BpeMerger::merge_long(const MergeTable& merges) {
  const size_t count = symbols.size();
  LONGHAUL_CHECK(count < kEnd, "a word of {} symbols", count);
  previous_.resize(count);
  next_.resize(count);
  heap_.clear();
  const auto pair_at = [&](uint32_t left) {
    return next_[left] == kEnd ? MergeTable::Merge{} : merges.find(symbols[left], symbols[next_[left]]);
  };
  const auto entry = [](uint32_t rank, uint32_t left) { return static_cast<uint64_t>(rank) << 32 | left; };
  for (uint32_t i = 0; i < count; ++i) {
    previous_[i] = i == 0 ? kEnd : i - 1;
    next_[i] = i + 1 == count ? kEnd : i + 1;
    const auto found = pair_at(i);
    if (found.rank != MergeTable::kNone) heap_.push_back(entry(found.rank, i));
  }
  const std::greater<uint64_t> lowest_first;
  std::make_heap(heap_.begin(), heap_.end(), lowest_first);
  const auto push = [&](uint32_t left) {
    const auto found = pair_at(left);
    if (found.rank == MergeTable::kNone) return;
    heap_.push_back(entry(found.rank, left));
    std::push_heap(heap_.begin(), heap_.end(), lowest_first);
  };
  while (!heap_.empty()) {
    std::pop_heap(heap_.begin(), heap_.end(), lowest_first);
    const uint64_t top = heap_.back();
    heap_.pop_back();
    const auto left = static_cast<uint32_t>(top);
    if (symbols[left] == kMerged) continue;
    const auto found = pair_at(left);
    if (found.rank != static_cast<uint32_t>(top >> 32)) continue;  // the pair has changed since
    const uint32_t right = next_[left];
    symbols[left] = found.id;
    symbols[right] = kMerged;
    if (track_lengths) lengths[left] += std::exchange(lengths[right], 0);
    next_[left] = next_[right];
    if (next_[left] != kEnd) previous_[next_[left]] = left;
    if (previous_[left] != kEnd) push(previous_[left]);
    push(left);
  }
  if (track_lengths) {
    size_t kept = 0;
    for (size_t i = 0; i < count; ++i) {
      if (symbols[i] != kMerged) lengths[kept++] = lengths[i];
    }
    lengths.resize(kept);
  }
  std::erase(symbols, kMerged);
}

}  // namespace longhaul::tokenizer
