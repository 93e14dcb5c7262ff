// The model of a tokenizer turns pieces of text into ids. One file a kind: bpe.cpp, unigram.cpp and
// word_piece.cpp, which has WordLevel too.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
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
  // The same for one piece, without any memory of earlier ones, and the bytes of the piece that each id stands
  // for. As in the reference, those of a model that drops or puts in characters need not fit the piece.
  virtual void encode_spans(std::string_view piece, ModelScratch& scratch, std::vector<int32_t>& ids,
                            std::vector<Span>& spans) const = 0;

  virtual const Vocabulary& vocabulary() const = 0;

  // Called once, before any encoding, when the last thing that happens to the pieces is that each byte
  // becomes its letter: a model that can do without says true and from then on gets the bytes themselves.
  virtual bool take_bytes() { return false; }
};

// The tokens "<0x00>" … "<0xFF>" that stand for single bytes; -1 where there is none.
std::array<int32_t, 256> byte_tokens(const Vocabulary& vocabulary);
// Appends the ids of the bytes of `text`; false, and nothing appended, when one of them has no token.
bool append_byte_tokens(const std::array<int32_t, 256>& tokens, std::string_view text, std::vector<int32_t>& ids);

// For a text that has no token, when there is no token for the unknown either.
[[noreturn]] void refuse_unknown(std::string_view text, std::string_view unknown_token);

}  // namespace longhaul::tokenizer
