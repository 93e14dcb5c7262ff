#include "data/tokenizer/bpe_merger.h"

#include <gtest/gtest.h>

#include <map>

#include "longhaul/core/random.h"

namespace longhaul::tokenizer {
namespace {

using Merges = std::map<std::pair<int32_t, int32_t>, MergeTable::Merge>;

// The definition: look at all pairs, merge the leftmost of the lowest rank, begin again.
std::vector<int32_t> merge_by_definition(std::vector<int32_t> symbols, const Merges& merges) {
  for (;;) {
    size_t best = symbols.size();
    MergeTable::Merge found;
    for (size_t i = 0; i + 1 < symbols.size(); ++i) {
      const auto merge = merges.find({symbols[i], symbols[i + 1]});
      if (merge != merges.end() && merge->second.rank < found.rank) {
        found = merge->second;
        best = i;
      }
    }
    if (best == symbols.size()) return symbols;
    symbols[best] = found.id;
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

// Merges of random earlier tokens, in random order of rank.
TEST(BpeMerger, MergesByDefinition) {
  constexpr int kLetters = 4;
  const RandomStream random(5, "bpe merger test");
  for (uint64_t round = 0; round < 300; ++round) {
    uint64_t draw = 0;
    const auto below = [&](int limit) { return static_cast<int32_t>(random.uniform(draw++, round) * limit); };
    Merges merges;
    MergeTable table(60);
    for (int32_t id = kLetters; id < kLetters + 60; ++id) {
      const std::pair pair{below(id), below(id)};
      if (merges.contains(pair)) continue;
      const MergeTable::Merge merge{static_cast<uint32_t>((id * 37) % 1009), id};
      merges[pair] = merge;
      table.add(pair.first, pair.second, merge);
    }
    for (const int length : {0, 1, 2, 3, 10, 47, 48, 49, 200}) {  // short words and long ones
      BpeMerger merger;
      for (int i = 0; i < length; ++i) merger.symbols.push_back(below(kLetters));
      const auto expected = merge_by_definition(merger.symbols, merges);
      merger.merge(table);
      ASSERT_EQ(merger.symbols, expected) << "round " << round << ", " << length << " symbols";
    }
  }
}

}  // namespace
}  // namespace longhaul::tokenizer
