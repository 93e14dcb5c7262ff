#include "data/prepare/block_tokenizer.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "data/tokenizer/unicode.h"
#include "longhaul/core/error.h"
#include "longhaul/core/hash.h"

namespace longhaul {
namespace {

bool takes(const Partition& partition, int64_t document) {
  return !partition.round_robin || document % partition.count == partition.index - 1;
}

// Of the texts of one document; a list of two strings is another document than the two joined.
uint64_t hash_of(const KeyText& text) {
  uint64_t hash = 0;
  for (const std::string& string : text.strings) hash = xxh3(string, hash);
  return hash;
}

void count_document(const KeyText& text, size_t tokens, TokenizedKey& key) {
  PreparedDataset& counts = key.counts;
  ++counts.documents;
  counts.tokens += static_cast<int64_t>(tokens);
  counts.empty += tokens == 0;
  counts.longest = std::max(counts.longest, static_cast<int64_t>(tokens));
  ++counts.lengths[std::min<size_t>(std::bit_width(tokens), counts.lengths.size() - 1)];
  counts.sequences += key.documents.back();
  for (const std::string& string : text.strings) counts.text_bytes += static_cast<int64_t>(string.size());
  if (tokens > 0) key.hashes.push_back(hash_of(text));
}

}  // namespace

BlockTokenizer::BlockTokenizer(EncodeFunction encode, Options options)
    : encode_(std::move(encode)), options_(std::move(options)), json_(options_.keys) {}

void BlockTokenizer::tokenize(const TextBlock& block, TokenizedBlock& out) {
  out.keys.resize(options_.keys.size());
  for (TokenizedKey& key : out.keys) {
    key.tokens.clear();
    key.lengths.clear();
    key.documents.clear();
    key.hashes.clear();
    key.counts = {};
  }
  out.bad_lines.clear();
  out.bytes = block.bytes;
  out.text_bytes = static_cast<int64_t>(block.text.size());
  out.after = block.after;
  if (block.kind == InputKind::text) {
    if (takes(options_.partition, block.document)) add_text_file(block, out);
  } else {
    LinePlace place = block.place;
    int64_t document = block.document;
    for (std::string_view rest = block.text; !rest.empty(); ++document) {
      const size_t end = rest.find('\n');
      if (takes(options_.partition, document)) add_line(block, place, rest.substr(0, end), out);
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
      if (place.line > 0) ++place.line;
      place.byte += static_cast<int64_t>(end) + 1;
    }
  }
  for (TokenizedKey& key : out.keys) {
    for (const int32_t token : key.tokens) key.counts.largest_id = std::max(key.counts.largest_id, token);
  }
}

void BlockTokenizer::add_text_file(const TextBlock& block, TokenizedBlock& out) {
  LinePlace place = block.place;
  place.line = 0;
  const size_t valid = tokenizer::valid_utf8_prefix(block.text);
  if (valid < block.text.size()) {
    place.byte += static_cast<int64_t>(valid);
    const bool utf16 = block.text.starts_with("\xFF\xFE") || block.text.starts_with("\xFE\xFF");
    return add_bad(place,
                   utf16 ? "this is UTF-16, not UTF-8: `iconv -f UTF-16 -t UTF-8 FILE > NEW_FILE` converts it"
                         : "this is not UTF-8: convert the file, or leave it out",
                   {}, out);
  }
  texts_.assign(1, {});
  if (!block.text.empty()) texts_[0].strings.push_back(block.text);
  if (auto problem = add_document(out)) add_bad(place, *std::move(problem), {}, out);
}

void BlockTokenizer::add_line(const TextBlock& block, const LinePlace& place, std::string_view line,
                              TokenizedBlock& out) {
  const std::string_view raw = line;
  std::optional<std::string> problem;
  if (block.kind == InputKind::text_lines) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) return;
    const size_t valid = tokenizer::valid_utf8_prefix(line);
    if (valid < line.size()) problem = fmt::format("byte {} of the line is not UTF-8", valid);
    texts_.assign(1, {{std::string(line)}});
  } else {
    problem = json_.read(line, texts_);
  }
  if (!problem) problem = add_document(out);
  if (problem) add_bad(place, *std::move(problem), raw, out);
}

// The document of `texts_`, under each key; or nothing of it, and what is wrong.
std::optional<std::string> BlockTokenizer::add_document(TokenizedBlock& out) {
  std::vector<std::pair<size_t, size_t>> before;  // tokens and sequences of each key, should it come to nothing
  for (const TokenizedKey& key : out.keys) before.emplace_back(key.tokens.size(), key.lengths.size());
  for (size_t k = 0; k < texts_.size(); ++k) {
    TokenizedKey& key = out.keys[k];
    // The strings of a list are sentences already.
    const bool split = options_.sentences && !texts_[k].list;
    for (const std::string& text : texts_[k].strings) {
      sentences_.clear();
      if (split)
        options_.sentences->split(text, sentences_);
      else
        sentences_.push_back(text);
      for (const std::string_view sentence : sentences_) {
        auto problem = add_text(sentence, key);
        if (!problem) continue;
        for (size_t i = 0; i < out.keys.size(); ++i) {
          out.keys[i].tokens.resize(before[i].first);
          out.keys[i].lengths.resize(before[i].second);
        }
        return problem;
      }
    }
    if (options_.eod_id && key.lengths.size() > before[k].second) {
      key.tokens.push_back(*options_.eod_id);
      ++key.lengths.back();
    }
  }
  for (size_t k = 0; k < texts_.size(); ++k) {
    TokenizedKey& key = out.keys[k];
    key.documents.push_back(static_cast<int32_t>(key.lengths.size() - before[k].second));
    count_document(texts_[k], key.tokens.size() - before[k].first, key);
  }
  return std::nullopt;
}

// A sequence, if it has any tokens; or what is wrong.
std::optional<std::string> BlockTokenizer::add_text(std::string_view text, TokenizedKey& key) {
  const size_t start = key.tokens.size();
  encode_(text, key.tokens);
  const size_t count = key.tokens.size() - start;
  // One less than the most, for the end-of-document token.
  if (count >= static_cast<size_t>(options_.most_tokens)) {
    return fmt::format("a text of {} bytes has {} tokens, but the format holds at most {} in one; split it",
                       text.size(), count, options_.most_tokens);
  }
  if (count > 0) key.lengths.push_back(static_cast<int32_t>(count));
  return std::nullopt;
}

void BlockTokenizer::add_bad(const LinePlace& place, std::string reason, std::string_view raw,
                             TokenizedBlock& out) const {
  if (options_.on_bad_line == OnBadLine::fail) {
    throw UserError(
        "{}: {}. Mend it, or pass over what is bad with --on-bad-line skip, or with quarantine, which keeps it in a file",
        describe(place), reason);
  }
  out.bad_lines.push_back({place, std::move(reason), std::string(raw)});
}

}  // namespace longhaul
