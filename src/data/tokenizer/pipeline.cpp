#include "data/tokenizer/pipeline.h"

namespace longhaul::tokenizer {

std::optional<int32_t> Pipeline::token_to_id(std::string_view token) const {
  int32_t id = added.find(token);
  if (id < 0) id = model->vocabulary().find(token);
  return id < 0 ? std::nullopt : std::optional(id);
}

std::optional<std::string_view> Pipeline::id_to_token(int32_t id) const {
  const auto token = added.token(id);
  return token ? token : model->vocabulary().token(id);
}

void DecoderFeed::push(int32_t id) {
  std::optional<std::string_view> token = pipeline_.id_to_token(id);
  const auto pattern = pipeline_.added_patterns.find(id);
  if (pattern != pipeline_.added_patterns.end()) token = pattern->second;
  if (!token || (skip_special_ && pipeline_.special.contains(std::string(*token)))) return;
  stage_->chunk(*token);
  stage_->end_token();
}

}  // namespace longhaul::tokenizer
