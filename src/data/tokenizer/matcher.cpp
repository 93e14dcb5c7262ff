#include "data/tokenizer/matcher.h"

#include "data/tokenizer/unicode.h"

namespace longhaul::tokenizer {
namespace {

class LiteralMatcher : public Matcher {
 public:
  explicit LiteralMatcher(std::string literal) : literal_(std::move(literal)) {}
  void find(std::string_view text, std::vector<Span>& matches) const override {
    if (literal_.empty()) return;
    for (size_t at = 0; (at = text.find(literal_, at)) != std::string_view::npos; at += literal_.size()) {
      matches.push_back({at, at + literal_.size()});
    }
  }

 private:
  std::string literal_;
};

class ClassMatcher : public Matcher {
 public:
  explicit ClassMatcher(uint8_t classes) : classes_(classes) {}
  void find(std::string_view text, std::vector<Span>& matches) const override {
    const CharClasses& table = CharClasses::get();
    for (size_t at = 0; at < text.size();) {
      const CodePoint c = decode_utf8(text.data() + at);
      if (table.is(c.value, classes_)) matches.push_back({at, at + c.bytes});
      at += c.bytes;
    }
  }

 private:
  uint8_t classes_;
};

}  // namespace

std::unique_ptr<Matcher> make_literal_matcher(std::string literal) {
  return std::make_unique<LiteralMatcher>(std::move(literal));
}

std::unique_ptr<Matcher> make_class_matcher(uint8_t classes) {
  return std::make_unique<ClassMatcher>(classes);
}

std::unique_ptr<Matcher> make_regex_matcher(std::string_view pattern, std::string_view where) {
  if (auto known = make_known_matcher(pattern)) return known;
  return make_pcre_matcher(pattern, where);
}

}  // namespace longhaul::tokenizer
