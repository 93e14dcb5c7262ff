#include "data/tokenizer/transformation.h"

#include <algorithm>

#include "data/tokenizer/unicode.h"

namespace longhaul::tokenizer {
namespace {

int32_t characters(std::string_view text) {
  return static_cast<int32_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

void Transformation::keep(std::string_view text) {
  out_ += text;
  if (!tracks()) return;
  for (size_t at = 0; at < text.size();) {
    const uint32_t bytes = decode_utf8(text.data() + at).bytes;
    steps_.push_back({static_cast<uint8_t>(bytes), 0});
    at += bytes;
  }
}

void Transformation::replace(std::string_view old_part, std::string_view new_part) {
  keep(new_part);
  if (!tracks()) return;
  const int32_t more = characters(new_part) - characters(old_part);
  for (int32_t i = 0; i < more; ++i) steps_[steps_.size() - 1 - static_cast<size_t>(i)].change = 1;
  if (more < 0 && !steps_.empty()) steps_.back().change += more;
}

void Transformation::finish() {
  if (tracks()) {
    const std::vector<Span>& old = *text_.origins;
    std::vector<Span> origins;
    origins.reserve(out_.size());
    size_t at = 0;
    const auto pass_one = [&] {
      if (at < text_.text.size()) at += decode_utf8(text_.text.data() + at).bytes;
    };
    for (const Step& step : steps_) {
      // Past the end only after a list whose counts don't add up; the last character stands in.
      const size_t from = std::min(step.change > 0 ? at - 1 : at, old.size() - 1);
      const Span nowhere{text_.origin_begin, text_.origin_begin};
      origins.insert(origins.end(), step.bytes, step.change > 0 && at == 0 ? nowhere : old[from]);
      for (int32_t i = step.change; i <= 0; ++i) pass_one();
    }
    *text_.origins = std::move(origins);
  }
  text_.text.swap(out_);
}

}  // namespace longhaul::tokenizer
