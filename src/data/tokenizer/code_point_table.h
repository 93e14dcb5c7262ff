// A table with a small number for each Unicode character, in two levels: blocks of 256 characters, of which
// equal ones are kept once. Built from runs of characters that have the same number.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace longhaul::tokenizer {

class CodePointTable {
 public:
  // From `first` to the next run's first.
  struct Run {
    uint32_t first;
    uint8_t value;
  };

  // `runs` are in order and start with character 0.
  explicit CodePointTable(std::span<const Run> runs) {
    std::map<std::string, uint16_t> known;
    size_t run = 0;
    std::string block(256, '\0');
    for (uint32_t i = 0; i < index_.size(); ++i) {
      for (uint32_t j = 0; j < 256; ++j) {
        while (run + 1 < runs.size() && runs[run + 1].first <= (i << 8 | j)) ++run;
        block[j] = static_cast<char>(runs[run].value);
      }
      const auto [at, fresh] = known.emplace(block, static_cast<uint16_t>(known.size()));
      if (fresh) blocks_.insert(blocks_.end(), block.begin(), block.end());
      index_[i] = at->second;
    }
  }

  uint8_t operator[](char32_t code_point) const {
    return blocks_[static_cast<size_t>(index_[code_point >> 8]) << 8 | (code_point & 0xFF)];
  }

 private:
  std::array<uint16_t, 0x1100> index_;  // block of 256 code points -> which of blocks_
  std::vector<uint8_t> blocks_;
};

}  // namespace longhaul::tokenizer
