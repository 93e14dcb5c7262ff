// WordPiece: from the start of a word on, always the longest token that fits; tokens inside of a word are
// written with a prefix ("##"). A word that can't be cut so is one unknown token. (The model of BERT.)
// WordLevel: a word is a token, or unknown.
#pragma once

#include <memory>
#include <string>

#include "data/tokenizer/model.h"

namespace longhaul::tokenizer {

struct WordPieceConfig {
  Vocabulary vocabulary;
  std::string unknown_token;
  std::string continuing_prefix;
  size_t max_characters = 100;  // a longer word is unknown
};
std::unique_ptr<Model> make_word_piece(WordPieceConfig config);

struct WordLevelConfig {
  Vocabulary vocabulary;
  std::string unknown_token;
};
std::unique_ptr<Model> make_word_level(WordLevelConfig config);

}  // namespace longhaul::tokenizer
