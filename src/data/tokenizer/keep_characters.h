// Normalizers that look at one character at a time: what is left out, and what is replaced by another.
#pragma once

#include "data/tokenizer/rewrite.h"
#include "data/tokenizer/unicode.h"

namespace longhaul::tokenizer {

// Leaves out the characters that `keep(c)` doesn't want.
template <typename Keep>
void keep_characters(NormalizedText& normalized, Keep&& keep) {
  Rewrite rewrite(normalized);
  const std::string_view text = rewrite.old();
  size_t done = 0;  // kept so far
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text.data() + at);
    if (!keep(c.value)) {
      rewrite.keep(done, at);
      done = at + c.bytes;
      if (at == 0) normalized.keeps_start = false;
    }
    at += c.bytes;
  }
  if (done == 0) return;
  rewrite.keep(done, text.size());
  rewrite.finish();
}

// Each character that `replaced(c)` is true for becomes `with`.
template <typename Replaced>
void replace_characters(NormalizedText& normalized, std::string_view with, Replaced&& replaced) {
  Rewrite rewrite(normalized);
  const std::string_view text = rewrite.old();
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    const CodePoint c = decode_utf8(text.data() + at);
    if (replaced(c.value)) {
      rewrite.keep(done, at);
      rewrite.put(with, at);
      done = at + c.bytes;
    }
    at += c.bytes;
  }
  if (done == 0) return;
  rewrite.keep(done, text.size());
  rewrite.finish();
}

}  // namespace longhaul::tokenizer
