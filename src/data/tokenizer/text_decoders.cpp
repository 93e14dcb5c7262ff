// The decoders that work on text: Fuse, Replace, Strip, Metaspace, the plain join and Sequence.
#include "data/tokenizer/decoder_stage.h"
#include "data/tokenizer/unicode.h"

namespace longhaul::tokenizer {
namespace {

class FuseStage : public TokenSink {
 public:
  explicit FuseStage(TokenSink& next) : next_(next) {}
  void chunk(std::string_view text) override { next_.chunk(text); }
  void end_token() override {}
  void finish() override {
    next_.end_token();
    next_.finish();
  }

 private:
  TokenSink& next_;
};

class ReplaceStage : public WholeTokenStage {
 public:
  ReplaceStage(const Matcher& matcher, const std::string& content, TokenSink& next)
      : WholeTokenStage(next), matcher_(matcher), content_(content) {}

 protected:
  void token(std::string_view text) override {
    matches_.clear();
    matcher_.find(text, matches_);
    out_.clear();
    size_t done = 0;
    for (const Span& match : matches_) {
      out_ += text.substr(done, match.begin - done);
      out_ += content_;
      done = match.end;
    }
    out_ += text.substr(done);
    emit(out_);
  }

 private:
  const Matcher& matcher_;
  const std::string& content_;
  std::vector<Span> matches_;
  std::string out_;
};

class ReplaceDecoder : public Decoder {
 public:
  ReplaceDecoder(std::unique_ptr<Matcher> matcher, std::string content)
      : matcher_(std::move(matcher)), content_(std::move(content)) {}
  std::unique_ptr<TokenSink> start(TokenSink& next) const override {
    return std::make_unique<ReplaceStage>(*matcher_, content_, next);
  }

 private:
  std::unique_ptr<Matcher> matcher_;
  std::string content_;
};

// Of the front nothing need be held back; of the back, as many characters as may yet be cut off.
class StripStage : public TokenSink {
 public:
  StripStage(std::string content, size_t start, size_t stop, TokenSink& next)
      : content_(std::move(content)), start_(start), stop_(stop), left_(start), next_(next) {}

  void chunk(std::string_view text) override {
    while (left_ > 0 && text.starts_with(content_)) {
      text.remove_prefix(content_.size());
      --left_;
    }
    if (text.empty()) return;
    left_ = 0;
    // Held back: the last `stop` copies of `content` at the end of all that came so far.
    std::string_view body = text;
    size_t copies = 0;
    while (body.ends_with(content_)) {
      body.remove_suffix(content_.size());
      ++copies;
    }
    if (!body.empty()) {
      pass_held(0);
      next_.chunk(body);
    }
    held_ += copies;
    pass_held(stop_);
  }
  void end_token() override {
    held_ = 0;
    left_ = start_;
    next_.end_token();
  }
  void finish() override { next_.finish(); }

 private:
  void pass_held(size_t keep) {
    for (; held_ > keep; --held_) next_.chunk(content_);
  }
  std::string content_;
  size_t start_;
  size_t stop_;
  size_t left_;  // how many the front of this token may still lose
  size_t held_ = 0;
  TokenSink& next_;
};

class MetaspaceStage : public TokenSink {
 public:
  MetaspaceStage(std::string replacement, bool drop_first, TokenSink& next)
      : replacement_(std::move(replacement)), drop_(drop_first), next_(next) {}
  void chunk(std::string_view text) override {
    for (;;) {
      const size_t at = text.find(replacement_);
      if (at != 0) next_.chunk(text.substr(0, at));
      if (at == std::string_view::npos) return;
      if (!drop_) next_.chunk(" ");
      text.remove_prefix(at + replacement_.size());
      if (text.empty()) return;
    }
  }
  void end_token() override {
    drop_ = false;
    next_.end_token();
  }
  void finish() override { next_.finish(); }

 private:
  std::string replacement_;
  bool drop_;  // in the first token they are dropped
  TokenSink& next_;
};

class JoiningStage : public TokenSink {
 public:
  explicit JoiningStage(TokenSink& next) : next_(next) {}
  void chunk(std::string_view text) override {
    separate();
    next_.chunk(text);
  }
  void end_token() override {
    separate();
    inside_ = false;
    first_ = false;
    next_.end_token();
  }
  void finish() override { next_.finish(); }

 private:
  void separate() {
    if (!first_ && !inside_) next_.chunk(" ");
    inside_ = true;
  }
  bool first_ = true;
  bool inside_ = false;
  TokenSink& next_;
};

// Stages in a row; the first one owns the rest of them.
class Chain : public TokenSink {
 public:
  Chain(const std::vector<std::unique_ptr<Decoder>>& parts, TokenSink& next) : first_(&next) {
    for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
      stages_.push_back((*part)->start(*first_));
      first_ = stages_.back().get();
    }
  }
  void chunk(std::string_view text) override { first_->chunk(text); }
  void end_token() override { first_->end_token(); }
  void finish() override { first_->finish(); }

 private:
  std::vector<std::unique_ptr<TokenSink>> stages_;
  TokenSink* first_;
};

class Sequence : public Decoder {
 public:
  explicit Sequence(std::vector<std::unique_ptr<Decoder>> parts) : parts_(std::move(parts)) {}
  std::unique_ptr<TokenSink> start(TokenSink& next) const override { return std::make_unique<Chain>(parts_, next); }

 private:
  std::vector<std::unique_ptr<Decoder>> parts_;
};

}  // namespace

std::unique_ptr<Decoder> make_fuse_decoder() {
  return std::make_unique<DecoderByStart>([](TokenSink& next) { return std::make_unique<FuseStage>(next); });
}
std::unique_ptr<Decoder> make_replace_decoder(std::unique_ptr<Matcher> matcher, std::string content) {
  return std::make_unique<ReplaceDecoder>(std::move(matcher), std::move(content));
}
std::unique_ptr<Decoder> make_strip_decoder(std::string content, size_t start, size_t stop) {
  return std::make_unique<DecoderByStart>(
      [=](TokenSink& next) { return std::make_unique<StripStage>(content, start, stop, next); });
}
std::unique_ptr<Decoder> make_metaspace_decoder(std::string replacement, bool drop_first) {
  return std::make_unique<DecoderByStart>(
      [=](TokenSink& next) { return std::make_unique<MetaspaceStage>(replacement, drop_first, next); });
}
std::unique_ptr<Decoder> make_joining_decoder() {
  return std::make_unique<DecoderByStart>([](TokenSink& next) { return std::make_unique<JoiningStage>(next); });
}
std::unique_ptr<Decoder> make_decoder_sequence(std::vector<std::unique_ptr<Decoder>> parts) {
  return std::make_unique<Sequence>(std::move(parts));
}

}  // namespace longhaul::tokenizer
