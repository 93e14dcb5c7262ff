#include "data/tokenizer/added_tokens.h"

#include <algorithm>

#include "data/tokenizer/unicode.h"

namespace longhaul::tokenizer {
namespace {

bool starts_with_word(std::string_view text) {
  return !text.empty() && CharClasses::get().is(decode_utf8(text.data()).value, kWord);
}
bool ends_with_word(std::string_view text) {
  return !text.empty() && CharClasses::get().is(decode_utf8(previous_utf8(text.data() + text.size())).value, kWord);
}

size_t skip_space(std::string_view text, size_t at) {
  while (at < text.size()) {
    const CodePoint c = decode_utf8(text.data() + at);
    if (!CharClasses::get().is(c.value, kSpace)) break;
    at += c.bytes;
  }
  return at;
}
size_t skip_space_back(std::string_view text, size_t at) {
  while (at > 0) {
    const char* last = previous_utf8(text.data() + at);
    if (!CharClasses::get().is(decode_utf8(last).value, kSpace)) break;
    at = static_cast<size_t>(last - text.data());
  }
  return at;
}

}  // namespace

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (size_t i = 0; i < tokens_.size(); ++i) insert(tokens_[i].pattern, static_cast<int32_t>(i));
}

void AddedTokenFinder::insert(std::string_view pattern, int32_t token) {
  if (pattern.empty()) return;
  starts_[static_cast<unsigned char>(pattern.front())] = true;
  uint32_t node = 0;
  for (const char c : pattern) {
    const auto byte = static_cast<unsigned char>(c);
    auto& children = nodes_[node].children;
    auto at = std::lower_bound(children.begin(), children.end(), std::pair{byte, uint32_t{0}});
    if (at == children.end() || at->first != byte) {
      const auto fresh = static_cast<uint32_t>(nodes_.size());
      children.insert(at, {byte, fresh});
      nodes_.emplace_back();
      node = fresh;
    } else {
      node = at->second;
    }
  }
  nodes_[node].token = token;
}

std::optional<std::pair<int32_t, size_t>> AddedTokenFinder::longest(std::string_view text, size_t at) const {
  std::optional<std::pair<int32_t, size_t>> found;
  uint32_t node = 0;
  while (at < text.size()) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const auto& children = nodes_[node].children;
    const auto child = std::lower_bound(children.begin(), children.end(), std::pair{byte, uint32_t{0}});
    if (child == children.end() || child->first != byte) break;
    node = child->second;
    ++at;
    if (nodes_[node].token >= 0) found = {nodes_[node].token, at};
  }
  return found;
}

void AddedTokenFinder::split(std::string_view text, std::vector<Part>& parts) const {
  parts.clear();
  size_t done = 0;
  for (size_t at = 0; at < text.size();) {
    const auto found = starts_[static_cast<unsigned char>(text[at])] ? longest(text, at) : std::nullopt;
    if (!found) {
      ++at;
      continue;
    }
    const AddedToken& token = tokens_[found->first];
    Span span{at, found->second};
    at = span.end;  // also behind a match that doesn't count
    if (token.single_word && (ends_with_word(text.substr(0, span.begin)) || starts_with_word(text.substr(span.end)))) {
      continue;
    }
    if (token.left_strip) span.begin = std::max(skip_space_back(text, span.begin), done);
    if (token.right_strip) span.end = skip_space(text, span.end);
    if (done < span.begin) parts.push_back({-1, {done, span.begin}});
    // White space that the token before has taken along is gone: a token that was nothing else is no more.
    if (span.begin < span.end) parts.push_back({token.id, span});
    done = span.end;
  }
  if (done < text.size()) parts.push_back({-1, {done, text.size()}});
}

}  // namespace longhaul::tokenizer
