#include "train/read_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "longhaul/core/log.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"

namespace longhaul {
namespace {

constexpr int kFewRanks = 16;

struct Share {
  int64_t parameters, bytes;
};

std::string range_text(std::vector<Share> shares, int64_t Share::*member, std::string (*text)(int64_t)) {
  const auto [least, most] = std::minmax_element(shares.begin(), shares.end(),
                                                 [&](const Share& a, const Share& b) { return a.*member < b.*member; });
  return fmt::format("{} to {}", text((*least).*member), text((*most).*member));
}

std::string bytes_text(int64_t bytes) {
  return format_bytes(static_cast<double>(bytes));
}

}  // namespace

void report_reading(comm::Communicator* ranks, const std::string& source, int64_t parameters, int64_t bytes) {
  if (ranks == nullptr) {
    log::info("loaded {} parameters from {} ({})", group_digits(parameters), source, bytes_text(bytes));
    return;
  }
  const int size = ranks->size();
  std::vector<Share> shares(size);
  const Share own{parameters, bytes};
  ranks->all_gather({&own, 2, comm::DataType::i64}, {shares.data(), 2 * size, comm::DataType::i64}).wait();
  if (size > kFewRanks) {
    log::info("loaded from {}: each of {} ranks {} parameters, {} read", source, size,
              range_text(shares, &Share::parameters, [](int64_t n) { return group_digits(n); }),
              range_text(shares, &Share::bytes, bytes_text));
    return;
  }
  TextTable table({"rank", "parameters", "read"});
  for (size_t column = 0; column <= 2; ++column) table.align(column, TextTable::Align::right);
  for (int rank = 0; rank < size; ++rank) {
    table.add({fmt::format("{}", rank), group_digits(shares[rank].parameters), bytes_text(shares[rank].bytes)});
  }
  log::info("loaded from {}:\n{}", source, table.str());
}

}  // namespace longhaul
