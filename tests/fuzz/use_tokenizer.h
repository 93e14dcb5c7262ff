// What every tokenizer that loads must do.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "longhaul/core/error.h"
#include "longhaul/data/tokenizer/tokenizer.h"

namespace longhaul::fuzz {

inline void use(const Tokenizer& tokenizer) {
  constexpr std::array<std::string_view, 5> kTexts{
      "", "The theatre's 2 words: two words, abcabc <|end|> 12345-67_8\t\r\n  é e\u0301 ﬁ 中文 \U0001F642",
      "\xFF\xC0th\xED\xA0\x80\0the", "<s></s><unk>[CLS]▁▁the[SEP]", "a-b a- -b --- ''s !?."};
  for (const std::string_view text : kTexts) {
    for (const bool special : {true, false}) {
      const std::vector<int32_t> ids = tokenizer.encode(text, special);
      for (const int32_t id : ids) {
        LONGHAUL_CHECK(id >= 0 && id < tokenizer.vocab_size(), "the id {} in a vocabulary of {}", id,
                       tokenizer.vocab_size());
      }
      tokenizer.decode(ids, special);
      const std::vector<TokenPlace> places = tokenizer.encode_with_offsets(text, special);
      LONGHAUL_CHECK(places.size() == ids.size(), "{} places of {} ids", places.size(), ids.size());
      for (size_t i = 0; i < ids.size(); ++i) {
        LONGHAUL_CHECK(places[i].id == ids[i], "the id {} with its place, {} without", places[i].id, ids[i]);
        LONGHAUL_CHECK(places[i].begin_byte <= places[i].end_byte && places[i].end_byte <= text.size(),
                       "a place outside of the text");
      }
    }
  }
  const std::vector<int32_t> wild{-1, 0, 1, 2, 255, 260, INT32_MAX, INT32_MIN};
  tokenizer.decode(wild);
  tokenizer.token_to_id("the");
}

}  // namespace longhaul::fuzz
