// Decoders turn tokens back into text. A decoder is a stage that tokens flow through, so that decoding a
// whole text and decoding one token at a time are the same code and give the same text.
//
// Between stages travel tokens, each as one or more chunks of valid UTF-8 and an end. A stage passes chunks
// on as soon as nothing that follows can change them.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/matcher.h"

namespace longhaul::tokenizer {

class TokenSink {
 public:
  virtual ~TokenSink() = default;
  virtual void chunk(std::string_view text) = 0;
  virtual void end_token() = 0;
  virtual void finish() = 0;  // no token follows
};

class Decoder {
 public:
  virtual ~Decoder() = default;
  // A stage for one text, which passes what it makes to `next`.
  virtual std::unique_ptr<TokenSink> start(TokenSink& next) const = 0;
};

std::unique_ptr<Decoder> make_byte_level_decoder();
std::unique_ptr<Decoder> make_byte_fallback_decoder();
std::unique_ptr<Decoder> make_fuse_decoder();
std::unique_ptr<Decoder> make_replace_decoder(std::unique_ptr<Matcher> matcher, std::string content);
// Cuts up to `start` of `content` (one character) off the front of each token, and up to `stop` off its back.
std::unique_ptr<Decoder> make_strip_decoder(std::string content, size_t start, size_t stop);
std::unique_ptr<Decoder> make_metaspace_decoder(std::string replacement, bool drop_first);
// Tokens with a space between, but for those that start with `prefix`, which is cut off; `clean` mends English
// punctuation and contractions.
std::unique_ptr<Decoder> make_word_piece_decoder(std::string prefix, bool clean);
// `suffix`, which ends words, becomes a space; in the last token nothing.
std::unique_ptr<Decoder> make_suffix_decoder(std::string suffix);
// One of several equal tokens in a row, without `pad`; with `clean` as above, and `delimiter` as a space.
std::unique_ptr<Decoder> make_ctc_decoder(std::string pad, std::string delimiter, bool clean);
// For a tokenizer without a decoder: tokens with a space between.
std::unique_ptr<Decoder> make_joining_decoder();
std::unique_ptr<Decoder> make_decoder_sequence(std::vector<std::unique_ptr<Decoder>> parts);

}  // namespace longhaul::tokenizer
