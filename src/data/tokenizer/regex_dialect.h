// The reference reads regular expressions with Oniguruma, we with PCRE2. Most of the two languages is common;
// the rest is rewritten here, or refused when it can't be rewritten exactly.
#pragma once

#include <string>
#include <string_view>

namespace longhaul::tokenizer {

// `pattern` (valid UTF-8) in PCRE2's dialect. Throws UserError, starting with `where`.
std::string to_pcre2(std::string_view pattern, std::string_view where);

}  // namespace longhaul::tokenizer
