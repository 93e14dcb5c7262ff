// Times the building of a dataset's order, for tools/bench_indices.py.
//
//   index_bench blend SIZE FILE W…            weights; by size where they are all above 1
//   index_bench order PREFIX S SAMPLES CACHE  the three arrays of a GPT dataset, built into the folder CACHE
//   index_bench shuffle N SEED FILE           the numbers below N, shuffled
//   index_bench samples PREFIX S DOCUMENTS.npy FILE   the sample index alone
//
// FILE: the arrays are left there as .npy (a blend's as FILE-0.npy and FILE-1.npy); "-": they are built in memory. Prints
// {"seconds": …, "memory": peak bytes of the process}.
#include <fmt/format.h>
#include <sys/resource.h>

#include <chrono>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "data/blend_index.h"
#include "data/huge_pages.h"
#include "data/sample_index.h"
#include "longhaul/core/error.h"
#include "longhaul/data/gpt_dataset.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/numpy_random.h"

namespace longhaul {
namespace {

using Words = std::vector<std::string>;

IndexArrayWriter writer(const std::string& file, const std::string& ending, IndexArray::Type type, int64_t rows, int64_t columns = 1) {
  return file == "-" ? IndexArrayWriter(type, rows, columns) : IndexArrayWriter(file + ending, type, rows, columns);
}

void blend(const Words& words) {
  const int64_t size = std::stoll(words[1]);
  std::vector<double> weights;
  for (size_t i = 3; i < words.size(); ++i) weights.push_back(std::stod(words[i]));
  IndexArrayWriter datasets = writer(words[2], "-0.npy", IndexArray::Type::int16, size);
  IndexArrayWriter samples = writer(words[2], "-1.npy", IndexArray::Type::int64, size);
  if (*std::min_element(weights.begin(), weights.end()) > 1) {
    build_blend_index_by_size(std::vector<int64_t>(weights.begin(), weights.end()), size, {datasets, samples});
  } else {
    build_blend_index(normalized(weights), size, {datasets, samples});
  }
  datasets.finish();
  samples.finish();
}

void order(const Words& words) {
  GptDatasetOptions options;
  options.sequence_length = std::stoll(words[2]);
  options.samples = std::stoll(words[3]);
  options.cache_dir = words[4];
  const GptDataset dataset(std::make_shared<const IndexedDatasetReader>(words[1]), options);
}

void shuffle(const Words& words) {
  auto numbers = vector_in_huge_pages<uint32_t>(std::stoull(words[1]));
  std::iota(numbers.begin(), numbers.end(), 0U);
  RandomState(static_cast<uint32_t>(std::stoul(words[2]))).shuffle(std::span(numbers));
  if (words[3] == "-") return;
  IndexArrayWriter file(words[3], IndexArray::Type::uint32, static_cast<int64_t>(numbers.size()));
  file.append(std::span<const uint32_t>(numbers));
  file.finish();
}

void samples(const Words& words) {
  const IndexedDatasetReader reader(words[1]);
  const IndexArray array = IndexArray::load(words[3]);
  std::vector<int32_t> documents(static_cast<size_t>(array.rows()));
  std::memcpy(documents.data(), array.bytes().data(), array.bytes().size());
  EpochPlan plan;
  for (const int32_t document : documents) plan.tokens_per_epoch += reader.length(document);
  GptOrder order;
  order.sequence_length = std::stoll(words[2]);
  plan.samples = (plan.tokens_per_epoch - 1) / order.sequence_length;
  const auto start = std::chrono::steady_clock::now();
  IndexArrayWriter rows = writer(words[4], ".npy", IndexArray::Type::int32, plan.samples + 1, 2);
  for_each_sample_row<int32_t>(reader, documents, order, plan, [&](std::span<const int32_t> piece) { rows.append(piece); });
  rows.finish();
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  fmt::print("{{\"seconds\": {:.4f}, \"samples\": {}}}\n", passed.count(), plan.samples);
  std::exit(0);
}

}  // namespace
}  // namespace longhaul

int main(int argc, char** argv) {
  using namespace longhaul;
  const Words words(argv + 1, argv + argc);
  const auto start = std::chrono::steady_clock::now();
  if (words.at(0) == "blend") blend(words);
  if (words[0] == "order") order(words);
  if (words[0] == "shuffle") shuffle(words);
  if (words[0] == "samples") samples(words);
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  fmt::print("{{\"seconds\": {:.4f}, \"memory\": {}}}\n", passed.count(), usage.ru_maxrss * 1024);
  return 0;
}
