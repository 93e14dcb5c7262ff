#include "train/profile/time_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <optional>
#include <unordered_map>

#include "longhaul/core/table.h"

namespace longhaul {
namespace {

constexpr size_t kShown = 10;
constexpr size_t kNameLength = 60;
constexpr double kNanosecond = 1e-9;

double seconds(const ProfileSpan& span) {
  return static_cast<double>(span.end - span.begin) * kNanosecond;
}

// Of a span that ops::gemm_span named; 0 for others.
double gemm_flops(const std::string& name) {
  long long m = 0, n = 0, k = 0;
  if (std::sscanf(name.c_str(), "gemm %lldx%lldx%lld", &m, &n, &k) != 3) return 0;
  return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
}

void drop_prefix(std::string& name, std::string_view prefix) {
  if (name.starts_with(prefix)) name.erase(0, prefix.size());
}

// What autograd and the CUDA compiler call a thing, as a person would.
std::string plain(std::string name) {
  drop_prefix(name, "autograd::engine::evaluate_function: ");
  drop_prefix(name, "void ");
  constexpr std::string_view kNode = "torch::autograd::CppNode<";
  if (name.starts_with(kNode)) {
    name = name.substr(kNode.size(), name.find_last_of('>') - kNode.size());
    name = name.substr(name.rfind("::") == std::string::npos ? 0 : name.rfind("::") + 2) + " (backward)";
  }
  for (size_t at; (at = name.find("(anonymous namespace)::")) != std::string::npos;) name.erase(at, 23);
  if (name.size() > kNameLength) name = name.substr(0, kNameLength - 3) + "...";
  return name;
}

class Rows {
 public:
  void add(const std::string& name, int64_t calls, double seconds, double flops) {
    TimeRow& row = rows_[plain(name)];
    row.calls += calls;
    row.seconds += seconds;
    row.flops += flops;
  }
  std::vector<TimeRow> largest_first() {
    std::vector<TimeRow> rows;
    for (auto& [name, row] : rows_) {
      row.name = name;
      rows.push_back(row);
    }
    std::stable_sort(rows.begin(), rows.end(),
                     [](const TimeRow& a, const TimeRow& b) { return a.seconds > b.seconds; });
    return rows;
  }

 private:
  std::map<std::string, TimeRow> rows_;
};

// How the host's operators lie in one another.
struct Nesting {
  std::vector<std::optional<size_t>> caller;   // by span
  std::vector<std::optional<size_t>> product;  // by span: the matrix product that it is, or is part of
};

Nesting nest(const std::vector<ProfileSpan>& spans) {
  Nesting nesting{std::vector<std::optional<size_t>>(spans.size()), std::vector<std::optional<size_t>>(spans.size())};
  std::map<int64_t, std::vector<size_t>> by_thread;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (!spans[i].on_gpu) by_thread[spans[i].thread].push_back(i);
  }
  for (auto& [thread, order] : by_thread) {
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return std::pair(spans[a].begin, -spans[a].end) < std::pair(spans[b].begin, -spans[b].end);
    });
    std::vector<size_t> open;
    for (const size_t i : order) {
      while (!open.empty() && spans[open.back()].end <= spans[i].begin) open.pop_back();
      if (!open.empty()) {
        nesting.caller[i] = open.back();
        nesting.product[i] = nesting.product[open.back()];
      }
      if (!nesting.product[i] && gemm_flops(spans[i].name) > 0) nesting.product[i] = i;
      open.push_back(i);
    }
  }
  return nesting;
}

void add_host(const std::vector<ProfileSpan>& spans, const Nesting& nesting, Rows& rows, TimeUse& use) {
  std::vector<double> own(spans.size(), 0);
  const auto inside_product = [&](size_t i) { return nesting.product[i] && *nesting.product[i] != i; };
  for (size_t i = 0; i < spans.size(); ++i) {
    if (inside_product(i)) continue;
    own[i] += seconds(spans[i]);
    if (nesting.caller[i]) own[*nesting.caller[i]] -= seconds(spans[i]);
  }
  for (size_t i = 0; i < spans.size(); ++i) {
    if (inside_product(i)) continue;
    rows.add(spans[i].name, 1, own[i], gemm_flops(spans[i].name));
    use.busy += own[i];
  }
}

void add_gpu(const std::vector<ProfileSpan>& spans, const Nesting& nesting, Rows& rows, TimeUse& use) {
  std::unordered_map<uint64_t, size_t> by_id;
  std::vector<size_t> on_gpu;
  for (size_t i = 0; i < spans.size(); ++i) {
    if (spans[i].on_gpu) {
      on_gpu.push_back(i);
    } else {
      by_id[spans[i].id] = i;
    }
  }
  std::unordered_map<size_t, size_t> longest;  // by product: its longest kernel, which its work is put down to
  for (const size_t i : on_gpu) {
    rows.add(spans[i].name, 1, seconds(spans[i]), 0);
    const auto cause = by_id.find(spans[i].cause);
    if (cause == by_id.end() || !nesting.product[cause->second]) continue;
    const auto [found, fresh] = longest.emplace(*nesting.product[cause->second], i);
    if (!fresh && seconds(spans[i]) > seconds(spans[found->second])) found->second = i;
  }
  for (const auto& [product, kernel] : longest) rows.add(spans[kernel].name, 0, 0, gemm_flops(spans[product].name));
  std::stable_sort(on_gpu.begin(), on_gpu.end(), [&](size_t a, size_t b) { return spans[a].begin < spans[b].begin; });
  int64_t covered = 0;
  for (const size_t i : on_gpu) {
    const int64_t begin = std::max(covered, spans[i].begin);
    if (spans[i].end > begin) use.busy += static_cast<double>(spans[i].end - begin) * kNanosecond;
    covered = std::max(covered, spans[i].end);
  }
}

}  // namespace

TimeUse time_use(const std::vector<ProfileSpan>& spans, double wall_seconds) {
  TimeUse use;
  use.wall = wall_seconds;
  use.on_gpu = std::any_of(spans.begin(), spans.end(), [](const ProfileSpan& span) { return span.on_gpu; });
  const Nesting nesting = nest(spans);
  Rows rows;
  use.on_gpu ? add_gpu(spans, nesting, rows, use) : add_host(spans, nesting, rows, use);
  use.rows = rows.largest_first();
  return use;
}

std::string time_table(const TimeUse& use, double matmul_rate) {
  TextTable table({use.on_gpu ? "on the GPU" : "operator", "calls", "ms", "share", "TFLOP/s", "of the matmul rate"});
  for (size_t column = 1; column <= 5; ++column) table.align(column, TextTable::Align::right);
  const auto milliseconds = [](double seconds) { return fmt::format("{:.1f}", 1e3 * seconds); };
  const auto share = [&](double seconds) { return fmt::format("{:.1f} %", 100 * seconds / use.wall); };
  TimeRow others;
  for (size_t i = 0; i < use.rows.size(); ++i) {
    const TimeRow& row = use.rows[i];
    if (i >= kShown) {
      others.calls += row.calls;
      others.seconds += row.seconds;
      continue;
    }
    std::vector<std::string> cells{row.name, fmt::format("{}", row.calls), milliseconds(row.seconds),
                                   share(row.seconds)};
    if (row.flops > 0) {
      const double rate = row.flops / row.seconds;
      cells.push_back(fmt::format("{:.3g}", rate / 1e12));
      if (matmul_rate > 0) cells.push_back(fmt::format("{:.0f} %", 100 * rate / matmul_rate));
    }
    table.add(cells);
  }
  if (use.rows.size() > kShown) {
    table.add({fmt::format("{} others", use.rows.size() - kShown), fmt::format("{}", others.calls),
               milliseconds(others.seconds), share(others.seconds)});
  }
  table.add(
      {use.on_gpu ? "idle" : "outside operators", "", milliseconds(use.wall - use.busy), share(use.wall - use.busy)});
  return table.str();
}

}  // namespace longhaul
