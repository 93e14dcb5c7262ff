// The decoders of models whose tokens are (parts of) words: WordPiece, BPE with a suffix at the end of words,
// and CTC (speech recognition).
#include <optional>
#include <utility>

#include "data/tokenizer/decoder_stage.h"
#include "data/tokenizer/unicode.h"

namespace longhaul::tokenizer {
namespace {

// Every `pattern` becomes `with`; an empty pattern stands before each character and at the end.
std::string replace_all(std::string_view text, std::string_view pattern, std::string_view with) {
  std::string out;
  if (pattern.empty()) {
    for (size_t at = 0; at < text.size();) {
      const uint32_t bytes = decode_utf8(text.data() + at).bytes;
      out += with;
      out += text.substr(at, bytes);
      at += bytes;
    }
    return out += with;
  }
  size_t done = 0;
  for (size_t at = 0; (at = text.find(pattern, at)) != std::string_view::npos; at += pattern.size()) {
    out += text.substr(done, at - done);
    out += with;
    done = at + pattern.size();
  }
  return out += text.substr(done);
}

// Undoes what cutting English at punctuation does to it.
std::string clean_up(std::string text) {
  constexpr std::pair<std::string_view, std::string_view> kSteps[] = {
      {" .", "."},   {" ?", "?"},           {" !", "!"},   {" ,", ","},     {" ' ", "'"},    {" n't", "n't"},
      {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
  };
  for (const auto& [pattern, with] : kSteps) {
    if (text.find(pattern) != std::string::npos) text = replace_all(text, pattern, with);
  }
  return text;
}

class WordPieceStage : public WholeTokenStage {
 public:
  WordPieceStage(std::string prefix, bool clean, TokenSink& next)
      : WholeTokenStage(next), prefix_(std::move(prefix)), clean_(clean) {}

 protected:
  void token(std::string_view text) override {
    std::string out;
    if (first_) {
      out = text;
    } else if (text.starts_with(prefix_)) {
      out = text.substr(prefix_.size());
    } else {
      out = " ";
      out += text;
    }
    first_ = false;
    emit(clean_ ? clean_up(std::move(out)) : out);
  }

 private:
  std::string prefix_;
  bool clean_;
  bool first_ = true;
};

// The suffix is a space, but for the last token's.
class SuffixStage : public WholeTokenStage {
 public:
  SuffixStage(std::string suffix, TokenSink& next) : WholeTokenStage(next), suffix_(std::move(suffix)) {}
  void finish() override {
    if (last_) emit(replace_all(*last_, suffix_, ""));
    next_.finish();
  }

 protected:
  void token(std::string_view text) override {
    if (last_) emit(replace_all(*last_, suffix_, " "));
    last_ = text;
  }

 private:
  std::string suffix_;
  std::optional<std::string> last_;
};

class CtcStage : public WholeTokenStage {
 public:
  CtcStage(std::string pad, std::string delimiter, bool clean, TokenSink& next)
      : WholeTokenStage(next), pad_(std::move(pad)), delimiter_(std::move(delimiter)), clean_(clean) {}

 protected:
  void token(std::string_view text) override {
    if (last_ == text) return;
    last_ = text;
    std::string out = replace_all(text, pad_, "");
    if (clean_) out = replace_all(clean_up(std::move(out)), delimiter_, " ");
    if (!out.empty()) emit(out);
  }

 private:
  std::string pad_;
  std::string delimiter_;
  bool clean_;
  std::optional<std::string> last_;
};

}  // namespace

std::unique_ptr<Decoder> make_word_piece_decoder(std::string prefix, bool clean) {
  return std::make_unique<DecoderByStart>(
      [=](TokenSink& next) { return std::make_unique<WordPieceStage>(prefix, clean, next); });
}
std::unique_ptr<Decoder> make_suffix_decoder(std::string suffix) {
  return std::make_unique<DecoderByStart>([=](TokenSink& next) { return std::make_unique<SuffixStage>(suffix, next); });
}
std::unique_ptr<Decoder> make_ctc_decoder(std::string pad, std::string delimiter, bool clean) {
  return std::make_unique<DecoderByStart>(
      [=](TokenSink& next) { return std::make_unique<CtcStage>(pad, delimiter, clean, next); });
}

}  // namespace longhaul::tokenizer
