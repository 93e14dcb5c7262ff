// Bases for the stages of decoders.
#pragma once

#include <functional>
#include <string>

#include "data/tokenizer/decoder.h"

namespace longhaul::tokenizer {

// A stage that needs each token as a whole.
class WholeTokenStage : public TokenSink {
 public:
  explicit WholeTokenStage(TokenSink& next) : next_(next) {}
  void chunk(std::string_view text) final { token_ += text; }
  void end_token() final {
    token(token_);
    token_.clear();
  }
  void finish() override { next_.finish(); }

 protected:
  virtual void token(std::string_view text) = 0;
  void emit(std::string_view text) {
    next_.chunk(text);
    next_.end_token();
  }
  TokenSink& next_;

 private:
  std::string token_;
};

// A decoder given as what starts its stage.
class DecoderByStart : public Decoder {
 public:
  using Start = std::function<std::unique_ptr<TokenSink>(TokenSink& next)>;
  explicit DecoderByStart(Start start) : start_(std::move(start)) {}
  std::unique_ptr<TokenSink> start(TokenSink& next) const override { return start_(next); }

 private:
  Start start_;
};

}  // namespace longhaul::tokenizer
