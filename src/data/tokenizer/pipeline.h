// The components of one tokenizer, in the order in which a text passes them.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "data/tokenizer/added_tokens.h"
#include "data/tokenizer/decoder.h"
#include "data/tokenizer/model.h"
#include "data/tokenizer/normalizer.h"
#include "data/tokenizer/post_processor.h"
#include "data/tokenizer/pre_tokenizer.h"

namespace longhaul::tokenizer {

struct Pipeline {
  AddedTokenFinder added_as_is{{}};        // in the text as it is
  std::unique_ptr<Normalizer> normalizer;  // null: none
  AddedTokenFinder added_normalized{{}};   // in the normalized text
  std::vector<std::unique_ptr<PreTokenizer>> pre_tokenizers;
  std::unique_ptr<Model> model;
  std::vector<std::unique_ptr<PostProcessor>> post_processors;
  std::unique_ptr<Decoder> decoder;

  // Added tokens, which hide what the model has under the same token or id.
  Vocabulary added;
  std::unordered_map<int32_t, std::string> added_patterns;  // of those whose normalized form differs: what decodes
  std::unordered_set<std::string> special;                  // contents of the special tokens

  std::optional<int32_t> token_to_id(std::string_view token) const;
  std::optional<std::string_view> id_to_token(int32_t id) const;
  int32_t max_id() const { return std::max(added.max_id(), model->vocabulary().max_id()); }
};

// Hands tokens to a decoder's stage: the part of decoding that comes before the decoder.
class DecoderFeed {
 public:
  DecoderFeed(const Pipeline& pipeline, bool skip_special, TokenSink& sink)
      : pipeline_(pipeline), skip_special_(skip_special), stage_(pipeline.decoder->start(sink)) {}
  void push(int32_t id);
  void finish() { stage_->finish(); }

 private:
  const Pipeline& pipeline_;
  bool skip_special_;
  std::unique_ptr<TokenSink> stage_;
};

// Gathers the text that comes out of the last stage.
class TextSink : public TokenSink {
 public:
  void chunk(std::string_view text) override { this->text += text; }
  void end_token() override {}
  void finish() override {}
  std::string text;
};

}  // namespace longhaul::tokenizer
