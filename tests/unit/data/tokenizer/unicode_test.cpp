#include "data/tokenizer/unicode.h"

#include <gtest/gtest.h>

namespace longhaul::tokenizer {
namespace {

TEST(Unicode, DecodesWhatItEncodes) {
  for (char32_t c = 0; c < 0x110000; c += c < 0x3000 ? 1 : 97) {
    if (c >= 0xD800 && c < 0xE000) continue;
    std::string text;
    append_utf8(text, c);
    ASSERT_TRUE(valid_utf8(text)) << static_cast<uint32_t>(c);
    const CodePoint decoded = decode_utf8(text.data());
    ASSERT_EQ(decoded.value, c);
    ASSERT_EQ(decoded.bytes, text.size());
    ASSERT_EQ(previous_utf8(text.data() + text.size()), text.data());
  }
}

TEST(Unicode, FindsInvalidBytes) {
  EXPECT_EQ(valid_utf8_prefix("abcdefghijkl\xFF"), 12u);
  EXPECT_EQ(valid_utf8_prefix("\xC0\x80"), 0u);          // overlong
  EXPECT_EQ(valid_utf8_prefix("\xED\xA0\x80"), 0u);      // a surrogate
  EXPECT_EQ(valid_utf8_prefix("\xF4\x90\x80\x80"), 0u);  // above U+10FFFF
  EXPECT_EQ(replace_invalid_utf8("a\xE4\xB8"), "a\uFFFD");
  EXPECT_EQ(replace_invalid_utf8("\xE4\xB8z\xFF\xFF"), "\uFFFDz\uFFFD\uFFFD");
  EXPECT_FALSE(invalid_utf8_part("\xE4\xB8").whole);
  EXPECT_TRUE(invalid_utf8_part("\xE4z").whole);
}

TEST(Unicode, KnowsClasses) {
  const CharClasses& classes = CharClasses::get();
  EXPECT_TRUE(classes.is(U'é', kLetter));
  EXPECT_TRUE(classes.is(U'中', kLetter));
  EXPECT_TRUE(classes.is(U'½', kNumber));
  EXPECT_TRUE(classes.is(U'\u3000', kSpace));
  EXPECT_FALSE(classes.is(U'\u180E', kSpace));
  EXPECT_TRUE(classes.is(U'\u0301', kMark));
  EXPECT_FALSE(classes.is(U'\u0301', kNfcInert));
  EXPECT_TRUE(classes.is(U'$', kPunctuation));
  EXPECT_TRUE(classes.is(U'_', kWord));
  EXPECT_EQ(classes.of(0x10FFFF) & (kLetter | kNumber | kSpace), 0);
}

}  // namespace
}  // namespace longhaul::tokenizer
