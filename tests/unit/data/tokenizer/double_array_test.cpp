#include "data/tokenizer/double_array.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace longhaul::tokenizer {
namespace {

// The values of all keys that `text` starts with, by their lengths.
std::map<size_t, int32_t> prefixes(const DoubleArray& trie, std::string_view text) {
  std::map<size_t, int32_t> found;
  uint32_t state = DoubleArray::kRoot;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!trie.step(state, static_cast<unsigned char>(text[i]))) break;
    if (trie.value(state) >= 0) found[i + 1] = trie.value(state);
  }
  return found;
}

TEST(DoubleArray, FindsWhatAMapFinds) {
  std::mt19937 random(3);
  for (const int letters : {2, 26, 256}) {
    std::map<std::string, int32_t> keys;
    for (int i = 0; i < 3000; ++i) {
      std::string key;
      for (size_t length = 1 + random() % 9; key.size() < length;) key += static_cast<char>(random() % letters);
      keys[key] = i;
    }
    const DoubleArray trie(std::vector<std::pair<std::string_view, int32_t>>(keys.begin(), keys.end()));
    for (int i = 0; i < 3000; ++i) {
      std::string text;
      while (text.size() < 12) text += static_cast<char>(random() % letters);
      if (i % 2) text = std::next(keys.begin(), static_cast<int>(random() % keys.size()))->first + text;
      std::map<size_t, int32_t> expected;
      for (size_t length = 1; length <= text.size(); ++length) {
        const auto key = keys.find(text.substr(0, length));
        if (key != keys.end()) expected[length] = key->second;
      }
      EXPECT_EQ(prefixes(trie, text), expected);
    }
  }
}

TEST(DoubleArray, OfNothing) {
  EXPECT_TRUE(prefixes(DoubleArray(), std::string(1, '\0') + "a").empty());
  EXPECT_TRUE(prefixes(DoubleArray({{"", 1}}), "a").empty());
}

TEST(DoubleArray, TakesTheLastOfEqualKeys) {
  EXPECT_EQ(prefixes(DoubleArray({{"ab", 1}, {"ab", 2}}), "abc"), (std::map<size_t, int32_t>{{2, 2}}));
}

}  // namespace
}  // namespace longhaul::tokenizer
