// The decoders that make text out of bytes: ByteLevel and ByteFallback.
#include "data/tokenizer/byte_level.h"
#include "data/tokenizer/decoder_stage.h"
#include "data/tokenizer/unicode.h"

namespace longhaul::tokenizer {
namespace {

// All tokens become one text: their letters' bytes, or, of a token that isn't made of such letters, its own.
// What is no UTF-8 becomes U+FFFD; an unfinished character at the end of what is known so far waits for the
// next token.
class ByteLevelStage : public WholeTokenStage {
 public:
  using WholeTokenStage::WholeTokenStage;
  void finish() override {
    if (!waiting_.empty()) next_.chunk(kReplacementCharacter);
    next_.end_token();
    next_.finish();
  }

 protected:
  void token(std::string_view text) override {
    const auto bytes = bytes_of_letters(text);
    waiting_ += bytes ? std::string_view(*bytes) : text;
    std::string_view left = waiting_;
    while (!left.empty()) {
      const size_t valid = valid_utf8_prefix(left);
      if (valid != 0) next_.chunk(left.substr(0, valid));
      left.remove_prefix(valid);
      if (left.empty()) break;
      const InvalidPart part = invalid_utf8_part(left);
      if (!part.whole) break;
      next_.chunk(kReplacementCharacter);
      left.remove_prefix(part.bytes);
    }
    waiting_.erase(0, waiting_.size() - left.size());
  }

 private:
  std::string waiting_;
};

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Tokens "<0x41>" are bytes. A run of them is one token if it is valid UTF-8, else as many U+FFFD as it has
// bytes.
class ByteFallbackStage : public WholeTokenStage {
 public:
  using WholeTokenStage::WholeTokenStage;
  void finish() override {
    end_run();
    next_.finish();
  }

 protected:
  void token(std::string_view text) override {
    if (text.size() == 6 && text.starts_with("<0x") && text.ends_with('>')) {
      // As the reference's number parser, which takes a sign too.
      const int high = text[3] == '+' ? 0 : hex_digit(text[3]);
      const int low = hex_digit(text[4]);
      if (high >= 0 && low >= 0) {
        run_ += static_cast<char>(high << 4 | low);
        return;
      }
    }
    end_run();
    emit(text);
  }

 private:
  void end_run() {
    if (run_.empty()) return;
    if (valid_utf8(run_)) {
      emit(run_);
    } else {
      for (size_t i = 0; i < run_.size(); ++i) emit(kReplacementCharacter);
    }
    run_.clear();
  }
  std::string run_;
};

}  // namespace

std::unique_ptr<Decoder> make_byte_level_decoder() {
  return std::make_unique<DecoderByStart>([](TokenSink& next) { return std::make_unique<ByteLevelStage>(next); });
}

std::unique_ptr<Decoder> make_byte_fallback_decoder() {
  return std::make_unique<DecoderByStart>([](TokenSink& next) { return std::make_unique<ByteFallbackStage>(next); });
}

}  // namespace longhaul::tokenizer
