#include "data/prepare/block_tokenizer.h"

#include <utf8proc.h>

#include <limits>
#include <utility>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

// The offset of the first byte that is not UTF-8; the size of the text when there is none.
size_t first_invalid_byte(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    if (static_cast<unsigned char>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    utf8proc_int32_t code_point = 0;
    const auto length = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + at,
                                         static_cast<utf8proc_ssize_t>(text.size() - at), &code_point);
    if (length <= 0) return at;
    at += static_cast<size_t>(length);
  }
  return at;
}

}  // namespace

BlockTokenizer::BlockTokenizer(EncodeFunction encode, std::vector<std::string> keys,
                               std::optional<int32_t> eod_id, OnBadLine on_bad_line)
    : encode_(std::move(encode)), keys_(std::move(keys)), eod_id_(eod_id), on_bad_line_(on_bad_line) {}

void BlockTokenizer::tokenize(const TextBlock& block, TokenizedBlock& out) {
  out.keys.resize(keys_.size());
  for (TokenizedKey& key : out.keys) {
    key.tokens.clear();
    key.lengths.clear();
    key.documents.clear();
  }
  out.bad_lines.clear();
  out.bytes = block.bytes;
  if (block.kind == InputKind::text) return add_text_file(block, out);

  LinePlace place = block.place;
  for (std::string_view rest = block.text; !rest.empty();) {
    const size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    add_line(place, line, out);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
    ++place.line;
    place.byte += static_cast<int64_t>(end) + 1;
  }
}

void BlockTokenizer::add_text_file(const TextBlock& block, TokenizedBlock& out) {
  const size_t invalid = first_invalid_byte(block.text);
  if (invalid < block.text.size()) {
    return complain(
        fmt::format("{}: byte {} is not UTF-8; convert the file, or leave it out", block.place.file, invalid),
        out);
  }
  std::string_view text = block.text;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);  // a byte order mark is no text
  texts_.assign(1, {});
  if (!text.empty()) texts_[0].emplace_back(text);
  add_document(texts_, out);
}

void BlockTokenizer::add_line(const LinePlace& place, std::string_view line, TokenizedBlock& out) {
  if (const auto problem = parse_json_line(line, keys_, texts_)) {
    return complain(fmt::format("{}: {}", describe(place), *problem), out);
  }
  add_document(texts_, out);
}

void BlockTokenizer::add_document(const KeyTexts& texts, TokenizedBlock& out) {
  for (size_t k = 0; k < texts.size(); ++k) {
    TokenizedKey& key = out.keys[k];
    int32_t sequences = 0;
    for (const std::string& text : texts[k]) {
      const size_t before = key.tokens.size();
      encode_(text, key.tokens);
      const size_t count = key.tokens.size() - before;
      if (count == 0) continue;
      if (count >= static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
        throw UserError(
            "a document of {} bytes has {} tokens, but the format holds at most 2^31 - 1 in one; split it",
            text.size(), count);
      }
      key.lengths.push_back(static_cast<int32_t>(count));
      ++sequences;
    }
    if (sequences > 0 && eod_id_) {
      key.tokens.push_back(*eod_id_);
      ++key.lengths.back();
    }
    key.documents.push_back(sequences);
  }
}

void BlockTokenizer::complain(std::string problem, TokenizedBlock& out) const {
  if (on_bad_line_ == OnBadLine::fail) {
    throw UserError("{}. Mend it, or skip what is bad with --on-bad-line skip", problem);
  }
  out.bad_lines.push_back(std::move(problem));
}

}  // namespace longhaul
