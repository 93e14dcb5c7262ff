#include "data/blend_index_cache.h"

#include <numeric>
#include <utility>

#include "data/index_cache.h"
#include "data/python_json.h"
#include "longhaul/core/error.h"

namespace longhaul {
namespace {

int64_t total(const std::vector<int64_t>& lengths) {
  return std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
}

std::string list(const std::vector<std::string>& elements) {
  std::string text = "[";
  for (size_t i = 0; i < elements.size(); ++i) {
    text += fmt::format("{}\n        {}", i == 0 ? "" : ",", indented(elements[i], "        "));
  }
  return text + "\n    ]";
}

// Lengths themselves where all samples are taken, else shares.
std::vector<std::string> weights_text(const BlendOrder& order) {
  std::vector<std::string> text;
  if (order.weights.empty() && !order.size) {
    for (const int64_t length : order.lengths) text.push_back(fmt::to_string(length));
    return text;
  }
  const std::vector<double> by_size(order.lengths.begin(), order.lengths.end());
  for (const double weight : order.weights.empty() ? normalized(by_size) : order.weights)
    text.push_back(python_float(weight));
  return text;
}

// Every dataset's samples are served in order, so the two arrays check one another.
void check_entries(const std::vector<IndexArray>& arrays, size_t datasets) {
  std::vector<int64_t> used(datasets, 0);
  for (int64_t i = 0; i < arrays[0].rows(); ++i) {
    check_index_entry("dataset index", arrays[0][i], 0, static_cast<int64_t>(datasets));
    int64_t& next = used[static_cast<size_t>(arrays[0][i])];
    check_index_entry("dataset sample index", arrays[1][i], next, next + 1);
    ++next;
  }
}

}  // namespace

std::string describe(const BlendOrder& order) {
  return fmt::format(
      "{{\n    \"class\": \"BlendedDataset\",\n    \"datasets\": {},\n    \"split\": \"{}\",\n    \"weights\": {},\n"
      "    \"size\": {}\n}}",
      list(order.datasets), split_name(order.split), list(weights_text(order)),
      order.size ? fmt::to_string(*order.size) : "null");
}

BlendIndex load_or_build_blend_index(const BlendOrder& order, const std::filesystem::path& folder) {
  const int64_t size = order.size ? *order.size : total(order.lengths);
  IndexCacheEntry entry;
  entry.folder = folder;
  entry.name = fmt::format("BlendedDataset-{}", split_name(order.split));
  entry.description = describe(order);
  entry.what = fmt::format("the blend of {} corpora ({})", order.datasets.size(), split_name(order.split));
  entry.shapes = {{"dataset_index", IndexArray::Type::int16, size},
                  {"dataset_sample_index", IndexArray::Type::int64, size}};
  entry.check_entries = [&](const std::vector<IndexArray>& arrays) { check_entries(arrays, order.datasets.size()); };
  entry.build = [&](std::span<IndexArrayWriter> arrays) {
    const BlendIndexWriters writers{arrays[0], arrays[1]};
    order.weights.empty() ? build_blend_index_by_size(order.lengths, size, writers)
                          : build_blend_index(order.weights, size, writers);
  };
  std::vector<IndexArray> arrays = load_or_build(entry);
  return {std::move(arrays[0]), std::move(arrays[1])};
}

}  // namespace longhaul
