#include "data/tokenizer/post_processor.h"

#include <algorithm>

#include "data/tokenizer/byte_level.h"
#include "data/tokenizer/unicode.h"

namespace longhaul::tokenizer {
namespace {

class Template : public PostProcessor {
 public:
  explicit Template(std::vector<TemplatePart> parts) : parts_(std::move(parts)) {}

  void process(std::vector<int32_t>& ids, size_t begin, bool add_special) const override {
    const std::vector<int32_t> text(ids.begin() + static_cast<std::ptrdiff_t>(begin), ids.end());
    ids.resize(begin);
    fill(text, ids, add_special, [](int32_t id) { return id; });
  }
  void process(std::vector<PlacedToken>& tokens, bool add_special) const override {
    const std::vector<PlacedToken> text = std::move(tokens);
    tokens.clear();
    fill(text, tokens, add_special, [](int32_t id) { return PlacedToken{id, {0, 0}, ""}; });
  }

 private:
  template <typename Token, typename Make>
  void fill(const std::vector<Token>& text, std::vector<Token>& out, bool add_special, Make&& make) const {
    for (const TemplatePart& part : parts_) {
      if (part.is_text) {
        out.insert(out.end(), text.begin(), text.end());
      } else if (add_special) {
        for (const int32_t id : part.special) out.push_back(make(id));
      }
    }
  }

  std::vector<TemplatePart> parts_;
};

class TrimOffsets : public PostProcessor {
 public:
  explicit TrimOffsets(bool prefix_space_added) : prefix_space_added_(prefix_space_added) {}

  void process(std::vector<int32_t>&, size_t, bool) const override {}
  void process(std::vector<PlacedToken>& tokens, bool) const override {
    for (size_t i = 0; i < tokens.size(); ++i) trim(tokens[i], i == 0);
  }

 private:
  static bool space(std::string_view text, size_t at, size_t bytes) {
    return text.substr(at, bytes) == byte_letters()[' '] ||
           CharClasses::get().is(decode_utf8(text.data() + at).value, kSpace);
  }

  void trim(PlacedToken& token, bool first) const {
    const std::string_view text = token.text;
    size_t leading = 0;
    for (size_t at = 0; at < text.size(); ++leading) {
      const uint32_t bytes = decode_utf8(text.data() + at).bytes;
      if (!space(text, at, bytes)) break;
      at += bytes;
    }
    size_t trailing = 0;
    for (const char* end = text.data() + text.size(); end != text.data(); ++trailing) {
      const char* last = previous_utf8(end);
      if (!space(text, static_cast<size_t>(last - text.data()), static_cast<size_t>(end - last))) break;
      end = last;
    }
    Span& place = token.place;
    if ((first || place.begin == 0) && prefix_space_added_ && leading == 1) leading = 0;
    place.begin = std::min(place.begin + leading, place.end);
    if (trailing > 0 && place.end >= trailing) place.end = std::max(place.end - trailing, place.begin);
  }

  bool prefix_space_added_;
};

}  // namespace

std::unique_ptr<PostProcessor> make_template(std::vector<TemplatePart> parts) {
  return std::make_unique<Template>(std::move(parts));
}
std::unique_ptr<PostProcessor> make_trim_offsets(bool prefix_space_added) {
  return std::make_unique<TrimOffsets>(prefix_space_added);
}

}  // namespace longhaul::tokenizer
