// Decoding while the ids still come, for text that people watch being generated.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "longhaul/data/tokenizer/tokenizer.h"

namespace longhaul {

// What `push` returned so far plus what `finish` returns is what Tokenizer::decode makes of all ids. Text
// comes out as soon as no later id can change it: never half a character, and with a byte-fallback tokenizer
// not before the run of byte tokens has ended.
class StreamDecoder {
 public:
  explicit StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special_tokens = false);
  ~StreamDecoder();
  StreamDecoder(StreamDecoder&&) noexcept;
  StreamDecoder& operator=(StreamDecoder&&) noexcept;

  // The text that this id completes; often empty.
  std::string push(int32_t id);
  // The rest. Nothing may be pushed after it.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace longhaul
