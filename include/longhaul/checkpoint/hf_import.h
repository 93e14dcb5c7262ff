// Fills a model's parameters from a Hugging Face folder.
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "longhaul/checkpoint/hf_folder.h"
#include "longhaul/model/family.h"
#include "longhaul/model/parameter.h"

namespace longhaul {

struct HfImportReport {
  int64_t zero_embedding_rows = 0;  // of the token embedding's rows that were read: zero throughout, so never trained
  int64_t bytes_read = 0;           // of the folder's tensors: those elements alone that the parameters take
};

struct HfPlan;

// A folder's weights as parameters of a model, a few or all at a time.
class HfWeights {
 public:
  // Every tensor of the folder must be wanted (or known to be ignorable) and every parameter found with its right
  // shape; otherwise one UserError lists all that is wrong. `model` is resolved. The folder outlives this.
  HfWeights(const HfFolder& folder, const ModelFamily& family, const ModelConfig& model);
  ~HfWeights();

  // Fills parameters that a rank holds, in whatever layout. Reads one tensor at a time, and of it what the parameters
  // hold, so that little more than the parameters themselves is in memory, and casts to each parameter's type (round to
  // nearest even). Rows that pad the vocabulary become zero.
  HfImportReport load(std::span<Parameter> parameters) const;

 private:
  const HfFolder& folder_;
  std::unique_ptr<const HfPlan> plan_;
};

}  // namespace longhaul
