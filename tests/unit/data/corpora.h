// The small corpora that several tests share.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/indexed_dataset_writer.h"
#include "longhaul/data/numpy_random.h"

namespace longhaul {

// Writes documents of one sequence each (none for an empty document).
inline void write_documents(const std::string& prefix, TokenType type,
                            const std::vector<std::vector<int32_t>>& documents) {
  IndexedDatasetWriter writer(prefix, type);
  for (const auto& tokens : documents) {
    if (!tokens.empty()) writer.add_sequence(tokens);
    writer.end_document();
  }
  writer.finalize();
}

// Corpus G: lengths 5,3,8,1,4,7; token k of sequence i is 100(i+1)+k, the last is 999.
inline std::vector<std::vector<int32_t>> corpus_g() {
  std::vector<std::vector<int32_t>> documents;
  int32_t i = 0;
  for (const int32_t length : {5, 3, 8, 1, 4, 7}) {
    ++i;
    std::vector<int32_t> tokens;
    for (int32_t k = 0; k + 1 < length; ++k) tokens.push_back(100 * i + k);
    tokens.push_back(999);
    documents.push_back(tokens);
  }
  return documents;
}

// Corpus L: 1000 sequences whose lengths are drawn from seed 2024.
inline std::vector<std::vector<int32_t>> corpus_l() {
  RandomState random(2024);
  std::vector<std::vector<int32_t>> documents;
  for (int i = 0; i < 1000; ++i) documents.emplace_back(1 + random.interval(198), i);
  return documents;
}

}  // namespace longhaul
