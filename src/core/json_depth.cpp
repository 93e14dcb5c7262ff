#include "longhaul/core/json_depth.h"

#include "longhaul/core/error.h"

namespace longhaul {

void refuse_deep_json(std::string_view text, const std::string& source) {
  constexpr int kDeepest = 256;
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') in_string = !in_string;
    if (in_string) {
      if (c == '\\') ++i;
      continue;
    }
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kDeepest) {
      throw UserError("{}: its values are nested more than {} deep, at byte {}; no file of this kind is like that", source,
                      kDeepest, i);
    }
  }
}

}  // namespace longhaul
