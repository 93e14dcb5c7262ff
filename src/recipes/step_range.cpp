#include "longhaul/recipes/step_range.h"

#include <charconv>
#include <string_view>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

bool read(std::string_view text, int64_t& step) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), step);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

StepRange parse_step_range(const std::string& key, const std::string& text) {
  const std::string_view all = text;
  const size_t dots = all.find("..");
  const std::string_view last = dots == std::string_view::npos ? all : all.substr(dots + 2);
  StepRange range;
  if (!read(all.substr(0, dots), range.first) || !read(last, range.last) || range.first < 1 ||
      range.last < range.first) {
    throw UserError("{} is \"{}\": give the first and the last step, as 10..12, or one step, as 10", key, text);
  }
  return range;
}

}  // namespace longhaul
