#include "data/tokenizer/train/unigram_seeds.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "data/tokenizer/unicode.h"
#include "longhaul/core/error.h"

namespace longhaul::tokenizer {
namespace {

constexpr char32_t kEnd = 0;  // behind every word

struct Substring {
  uint64_t score;
  uint32_t begin;  // in the text of all words
  uint32_t length;
};

// The substrings that the suffixes of a text, in order, branch behind.
class Substrings {
 public:
  Substrings(const std::u32string& text, size_t longest) : text_(text), longest_(longest), order_(text.size()) {
    std::iota(order_.begin(), order_.end(), 0U);
    std::sort(order_.begin(), order_.end(), [&](uint32_t a, uint32_t b) { return head(a) < head(b); });
  }

  // Walks the groups of suffixes that share a beginning, the inner groups first.
  std::vector<Substring> find() const {
    struct Group {
      size_t first;   // of the suffixes, in their order
      size_t shared;  // characters
    };
    std::vector<Substring> found;
    std::vector<Group> open{{0, 0}};
    for (size_t i = 1; i <= order_.size(); ++i) {
      const size_t shared = i == order_.size() ? 0 : common(order_[i - 1], order_[i]);
      size_t first = i - 1;
      while (shared < open.back().shared) {
        const Group group = open.back();
        open.pop_back();
        add(order_[group.first], group.shared, i - group.first, found);
        first = group.first;
      }
      if (shared > open.back().shared) open.push_back({first, shared});
    }
    return found;
  }

 private:
  std::u32string_view head(uint32_t begin) const { return std::u32string_view(text_).substr(begin, longest_ + 1); }
  // How many characters two suffixes share; longest_ + 1 stands for all that are longer than what is wanted.
  size_t common(uint32_t a, uint32_t b) const {
    const auto x = head(a);
    const auto y = head(b);
    const auto [end, unused] = std::mismatch(x.begin(), x.end(), y.begin(), y.end());
    return static_cast<size_t>(end - x.begin());
  }
  void add(uint32_t begin, size_t length, size_t count, std::vector<Substring>& found) const {
    if (length < 2 || length > longest_) return;
    const auto text = std::u32string_view(text_).substr(begin, length);
    if (text.find(kEnd) != std::u32string_view::npos) return;
    found.push_back({count * length, begin, static_cast<uint32_t>(length)});
  }

  const std::u32string& text_;
  size_t longest_;
  std::vector<uint32_t> order_;
};

}  // namespace

std::vector<std::pair<std::string, double>> unigram_seeds(const WordCounts& words, size_t longest, size_t most) {
  std::u32string text;
  std::map<char32_t, int64_t> characters;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view word = words.word(i);
    for (size_t at = 0; at < word.size();) {
      const CodePoint c = decode_utf8(word.data() + at);
      at += c.bytes;
      text += c.value;
      if (c.value != kEnd) characters[c.value] += words.count(i);
    }
    text += kEnd;
  }
  LONGHAUL_CHECK(text.size() < UINT32_MAX, "{} characters in all different words", text.size());

  std::vector<std::pair<int64_t, char32_t>> by_count;
  for (const auto& [c, count] : characters) by_count.emplace_back(count, c);
  std::sort(by_count.rbegin(), by_count.rend());
  std::vector<Substring> substrings = Substrings(text, longest).find();
  const auto view = [&](const Substring& s) { return std::u32string_view(text).substr(s.begin, s.length); };
  std::sort(substrings.begin(), substrings.end(), [&](const Substring& a, const Substring& b) {
    return a.score != b.score ? a.score > b.score : view(a) > view(b);
  });

  std::vector<std::pair<std::string, double>> seeds;
  const auto add = [&](std::u32string_view piece, double score) {
    std::string utf8;
    for (const char32_t c : piece) append_utf8(utf8, c);
    seeds.emplace_back(std::move(utf8), score);
  };
  for (const auto& [count, c] : by_count) add({&c, 1}, static_cast<double>(count));
  for (const Substring& s : substrings) {
    if (seeds.size() >= most) break;
    add(view(s), static_cast<double>(s.score));
  }
  return seeds;
}

}  // namespace longhaul::tokenizer
