// A pair of .bin/.idx files, and what `prepare` noted beside them.
#include "cli/inspect/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <numeric>

#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
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

// Of each document, in tokens, sorted.
std::vector<int64_t> sorted_lengths(const IndexedDatasetReader& data) {
  std::vector<int64_t> lengths(static_cast<size_t>(data.documents()));
  for (int64_t i = 0; i < data.documents(); ++i) {
    for (int64_t s = data.document_border(i); s < data.document_border(i + 1); ++s) {
      lengths[static_cast<size_t>(i)] += data.length(s);
    }
  }
  std::sort(lengths.begin(), lengths.end());
  return lengths;
}

void add_lengths(TextTable& table, const std::vector<int64_t>& lengths) {
  if (lengths.empty()) return;
  const auto quantile = [&](double share) {
    return group_digits(lengths[static_cast<size_t>(share * static_cast<double>(lengths.size() - 1) + 0.5)]);
  };
  const double sum = std::accumulate(lengths.begin(), lengths.end(), 0.0);
  table.add({"longest", fmt::format("{} tokens", group_digits(lengths.back()))});
  table.add({"shortest", fmt::format("{} tokens", group_digits(lengths.front()))});
  table.add({"mean", fmt::format("{:.1f} tokens a document", sum / static_cast<double>(lengths.size()))});
  table.add(
      {"half, 90 %, 99 %", fmt::format("at most {}, {}, {} tokens", quantile(0.5), quantile(0.9), quantile(0.99))});
  const auto empty = std::upper_bound(lengths.begin(), lengths.end(), 0) - lengths.begin();
  if (empty > 0) table.add({"empty", fmt::format("{} documents", group_digits(empty))});
}

// One line for each power of two: how many documents are that long.
std::string histogram(const std::vector<int64_t>& lengths) {
  constexpr int64_t kColumns = 40;
  TextTable table({"tokens", "documents", ""});
  table.align(0, TextTable::Align::right).align(1, TextTable::Align::right);
  std::vector<int64_t> counts;
  for (const int64_t length : lengths) {
    const auto bin = static_cast<size_t>(std::bit_width(static_cast<uint64_t>(length)));
    if (bin >= counts.size()) counts.resize(bin + 1);
    ++counts[bin];
  }
  const int64_t most = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
  const auto first =
      std::find_if(counts.begin(), counts.end(), [](int64_t count) { return count > 0; }) - counts.begin();
  for (auto bin = static_cast<size_t>(first); bin < counts.size(); ++bin) {
    const int64_t low = bin == 0 ? 0 : int64_t{1} << (bin - 1), high = (int64_t{1} << bin) - 1;
    const int64_t bar = (counts[bin] * kColumns + most - 1) / most;
    table.add({low == high ? group_digits(low) : fmt::format("{} - {}", group_digits(low), group_digits(high)),
               group_digits(counts[bin]), std::string(static_cast<size_t>(bar), '#')});
  }
  return table.str();
}

void add_side_car(TextTable& table, const IndexedDatasetReader& data) {
  const auto info = read_prepared_info(data.prefix());
  if (!info) {
    table.add({"side-car", "none: the ids can't be checked against a model's tokenizer"});
    return;
  }
  table.add({"tokenizer",
             fmt::format("fingerprint {}, {} tokens", info->tokenizer_fingerprint, group_digits(info->vocab_size))});
  table.add({"largest id", group_digits(info->largest_id)});
  table.add({"end of document",
             info->append_eod && info->eod_id ? fmt::format("token {}", *info->eod_id) : std::string("not marked")});
  table.add({"special tokens", info->add_special_tokens ? "as the tokenizer adds them" : "none added"});
  if (!info->sentences.empty()) table.add({"sentences", info->sentences});
  if (info->documents != data.documents() || info->tokens != data.tokens()) {
    table.add({"ODD", fmt::format("{} speaks of {} documents and {} tokens: it belongs to other files",
                                  prepared_info_path(data.prefix()), info->documents, info->tokens)});
  }
}

}  // namespace

void print_dataset(const IndexedDatasetReader& data) {
  TextTable table;
  table.add({"format", fmt::format("Megatron index, version 1{}", data.multimodal() ? ", multimodal" : "")});
  table.add({"documents", group_digits(data.documents())});
  if (data.sequences() != data.documents()) table.add({"sequences", group_digits(data.sequences())});
  table.add({"tokens", group_digits(data.tokens())});
  const int64_t bytes = data.tokens() * token_bytes(data.token_type());
  table.add({"ids", fmt::format("{}, {}", type_name(data.token_type()), format_bytes(static_cast<double>(bytes)))});
  const std::vector<int64_t> lengths = sorted_lengths(data);
  add_lengths(table, lengths);
  add_side_car(table, data);
  fmt::print("dataset {}\n\n{}\n{}", data.prefix(), table.str(), histogram(lengths));
}

}  // namespace longhaul::cli
