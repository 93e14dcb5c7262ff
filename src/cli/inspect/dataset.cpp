// A pair of .bin/.idx files, and what `prepare` noted beside them.
#include <fmt/format.h>

#include <algorithm>

#include "cli/inspect/inspect.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/prepared_info.h"

namespace longhaul::cli {
namespace {

const char* type_name(TokenType type) {
  switch (type) {
    case TokenType::uint8:
      return "uint8";
    case TokenType::int8:
      return "int8";
    case TokenType::int16:
      return "int16";
    case TokenType::int32:
      return "int32";
    case TokenType::int64:
      return "int64";
    case TokenType::uint16:
      return "uint16";
  }
  return "?";
}

void add_lengths(TextTable& table, const IndexedDatasetReader& data) {
  int64_t longest = 0, empty = 0;
  for (int64_t i = 0; i < data.documents(); ++i) {
    int64_t tokens = 0;
    for (int64_t s = data.document_border(i); s < data.document_border(i + 1); ++s) tokens += data.length(s);
    longest = std::max(longest, tokens);
    empty += tokens == 0 ? 1 : 0;
  }
  table.add({"longest", fmt::format("{} tokens", group_digits(longest))});
  if (data.documents() > 0) {
    table.add({"mean", fmt::format("{:.1f} tokens a document", static_cast<double>(data.tokens()) /
                                                                   static_cast<double>(data.documents()))});
  }
  if (empty > 0) table.add({"empty", fmt::format("{} documents", group_digits(empty))});
}

void add_side_car(TextTable& table, const IndexedDatasetReader& data) {
  const auto info = read_prepared_info(data.prefix());
  if (!info) {
    table.add({"side-car", "none: the ids can't be checked against a model's tokenizer"});
    return;
  }
  table.add({"tokenizer", fmt::format("fingerprint {}, {} tokens", info->tokenizer_fingerprint,
                                      group_digits(info->vocab_size))});
  table.add({"largest id", group_digits(info->largest_id)});
  table.add({"end of document", info->append_eod && info->eod_id ? fmt::format("token {}", *info->eod_id)
                                                                 : std::string("not marked")});
  table.add({"special tokens", info->add_special_tokens ? "as the tokenizer adds them" : "none added"});
  if (info->documents != data.documents() || info->tokens != data.tokens()) {
    table.add({"ODD", fmt::format("{} speaks of {} documents and {} tokens: it belongs to other files",
                                  prepared_info_path(data.prefix()), info->documents, info->tokens)});
  }
}

}  // namespace

void inspect_dataset(const std::string& prefix) {
  const IndexedDatasetReader data(prefix);
  TextTable table;
  table.add({"format", fmt::format("Megatron index, version 1{}", data.multimodal() ? ", multimodal" : "")});
  table.add({"documents", group_digits(data.documents())});
  if (data.sequences() != data.documents()) table.add({"sequences", group_digits(data.sequences())});
  table.add({"tokens", group_digits(data.tokens())});
  const int64_t bytes = data.tokens() * token_bytes(data.token_type());
  table.add(
      {"ids", fmt::format("{}, {}", type_name(data.token_type()), format_bytes(static_cast<double>(bytes)))});
  add_lengths(table, data);
  add_side_car(table, data);
  fmt::print("dataset {}\n\n{}", data.prefix(), table.str());
}

}  // namespace longhaul::cli
