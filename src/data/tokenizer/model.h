// The model of a tokenizer turns pieces of text into ids. One file a kind: bpe.cpp, …
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "data/tokenizer/pre_tokenizer.h"
#include "data/tokenizer/vocabulary.h"

namespace longhaul::tokenizer {

// What a thread keeps between calls: caches and buffers. Each model derives its own.
class ModelScratch {
 public:
  virtual ~ModelScratch() = default;
};

class Model {
 public:
  virtual ~Model() = default;

  virtual std::unique_ptr<ModelScratch> make_scratch() const = 0;
  // Appends the ids of all pieces. `scratch` is one of this model's own, used by one thread at a time.
  virtual void encode(const Pieces& pieces, ModelScratch& scratch, std::vector<int32_t>& ids) const = 0;

  virtual const Vocabulary& vocabulary() const = 0;

  // Called once, before any encoding, when the last thing that happens to the pieces is that each byte
  // becomes its letter: a model that can do without says true and from then on gets the bytes themselves.
  virtual bool take_bytes() { return false; }
};

}  // namespace longhaul::tokenizer
