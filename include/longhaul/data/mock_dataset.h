// Synthetic text for trying things out without files: sequences of phrases. A phrase is a fixed run of
// tokens, so within one every next token is certain, while the next phrase is a matter of chance; what a
// model can reach is therefore known: ln(phrases) / phrase length nats a token, from ln(vocabulary) at the
// start.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "longhaul/core/random.h"
#include "longhaul/data/dataset.h"

namespace longhaul {

struct MockDatasetOptions {
  int64_t samples = 0;
  int64_t sequence_length = 1024;
  int64_t vocab_size = 0;  // tokens are 0 … vocab_size - 1
  uint64_t seed = 1234;    // of the choice of phrases; the phrases themselves depend on the vocabulary alone
};

class MockDataset : public Dataset {
 public:
  static constexpr int64_t kPhrases = 32;
  static constexpr int64_t kPhraseLength = 8;

  explicit MockDataset(const MockDatasetOptions& options);
  int64_t size() const override { return options_.samples; }
  void get(int64_t index, Sample& sample) const override;
  std::vector<SamplePart> parts(int64_t) const override { return {}; }
  std::string order_id() const override;

 private:
  MockDatasetOptions options_;
  RandomStream choices_;
  std::vector<int64_t> phrases_;  // [kPhrases · kPhraseLength]
};

}  // namespace longhaul
