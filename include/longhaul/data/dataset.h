// What training reads: numbered samples of fixed length. GptDataset reads prepared text, BlendedDataset
// mixes several datasets, MockDataset makes its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longhaul {

struct Sample {
  std::vector<int64_t> tokens;  // [sequence_length]
  std::vector<int64_t> labels;  // [sequence_length], the token that follows each token
  int64_t valid = 0;            // labels from here on are padding (0) and take no part in the loss
};

// A run of a sample's tokens that stand together in a file.
struct SamplePart {
  std::string corpus;    // the file's prefix
  int64_t document = 0;  // in that file, from 0
  int64_t sequence = 0;  // in that file; the same number unless documents have several sequences
  int64_t begin = 0;     // its first token in the sequence
  int64_t count = 0;     // tokens; the label of the sample's last token counts
};

class Dataset {
 public:
  virtual ~Dataset() = default;
  // Samples in the dataset.
  virtual int64_t size() const = 0;
  // Fills `sample` with the sample `index`, 0 ≤ index < size(). May be called from several threads at once.
  virtual void get(int64_t index, Sample& sample) const = 0;
  // Where the sample comes from, in the order of its tokens; nothing where tokens are made up.
  virtual std::vector<SamplePart> parts(int64_t index) const = 0;
  // Identifies the order: datasets with the same id serve the same sample under each index. A checkpoint
  // keeps it, since with another order a resumed run repeats some samples and never sees others.
  virtual std::string order_id() const = 0;
};

}  // namespace longhaul
