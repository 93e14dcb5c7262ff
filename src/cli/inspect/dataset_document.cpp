// One document of a dataset, id by id.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/inspect/dataset.h"
#include "longhaul/core/error.h"
#include "longhaul/core/json_text.h"
#include "longhaul/core/table.h"
#include "longhaul/data/tokenizer/stream_decoder.h"

namespace longhaul::cli {
namespace {

std::string shown(const std::string& text) {
  return lenient_json_text(nlohmann::json(text));
}

int64_t characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

// A row for each sequence's ids would not fit a screen.
std::string id_rows(const std::vector<int64_t>& ids) {
  constexpr size_t kPerRow = 16;
  std::string out;
  for (size_t i = 0; i < ids.size(); i += kPerRow) {
    out += fmt::format("{:>8}:", i);
    for (size_t k = i; k < std::min(ids.size(), i + kPerRow); ++k) out += fmt::format(" {:>6}", ids[k]);
    out += '\n';
  }
  return out;
}

// Text comes out when it is complete: of the ids that make up a character, the last shows it.
std::string token_table(const IndexedDatasetReader& data, int64_t first_byte, const std::vector<int64_t>& ids,
                        const std::shared_ptr<const Tokenizer>& tokenizer) {
  TextTable table({"token", ".bin byte", "id", "text bytes", "characters", "text"});
  for (const size_t column : {0, 1, 2, 3, 4}) table.align(column, TextTable::Align::right);
  StreamDecoder decoder(tokenizer);
  int64_t byte = 0, character = 0;
  const auto range = [](int64_t begin, int64_t count) {
    return count == 0 ? std::string("-") : fmt::format("{} - {}", begin, begin + count);
  };
  const auto add = [&](const std::string& token, const std::string& place, const std::string& id,
                       const std::string& text) {
    const auto bytes = static_cast<int64_t>(text.size());
    table.add(
        {token, place, id, range(byte, bytes), range(character, characters(text)), text.empty() ? "" : shown(text)});
    byte += bytes;
    character += characters(text);
  };
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= tokenizer->vocab_size()) {
      throw UserError("token {} of the document is {}, but the tokenizer has {} ids: it is not the tokenizer of {}", i,
                      ids[i], tokenizer->vocab_size(), data.prefix());
    }
    add(std::to_string(i), std::to_string(first_byte + static_cast<int64_t>(i) * token_bytes(data.token_type())),
        std::to_string(ids[i]), decoder.push(static_cast<int32_t>(ids[i])));
  }
  if (const std::string rest = decoder.finish(); !rest.empty()) add("end", "", "", rest);
  return table.str();
}

}  // namespace

void print_document(const IndexedDatasetReader& data, int64_t document,
                    const std::shared_ptr<const Tokenizer>& tokenizer) {
  if (document < 0 || document >= data.documents()) {
    throw UserError("there is no document {} in {}: it has {}, counted from 0", document, data.prefix(),
                    data.documents());
  }
  const int64_t begin = data.document_border(document), end = data.document_border(document + 1);
  std::vector<int64_t> ids;
  for (int64_t i = begin; i < end; ++i) {
    const std::vector<int64_t> more = data.get(i);
    ids.insert(ids.end(), more.begin(), more.end());
  }
  const int64_t first_byte =
      begin < data.sequences() ? data.offset(begin) : data.tokens() * token_bytes(data.token_type());
  fmt::print("document {} of {}: {} tokens in {} sequences, from byte {} of the .bin\n\n", document, data.prefix(),
             ids.size(), end - begin, first_byte);
  fmt::print("{}", tokenizer ? token_table(data, first_byte, ids, tokenizer) : id_rows(ids));
}

}  // namespace longhaul::cli
