// Times the building of a dataset's order, for tools/bench_indices.py.
//
//   index_bench blend OUT SIZE W…                    a blend's two arrays; W: weights, or sizes where all are above 1
//   index_bench shuffle OUT N SEED                   the numbers below N, shuffled
//   index_bench samples OUT PREFIX S DOCUMENTS.npy   a sample index
//   index_bench sentences OUT PREFIX LONGEST SAMPLES  the rows of a BERT dataset
//   index_bench order CACHE PREFIX S SAMPLES         a GPT dataset's three arrays, into the folder CACHE
//
// The arrays are left as OUT-0.npy and OUT-1.npy. Where OUT is "-" they are computed and thrown away. Prints {"seconds":
// of building and writing, "memory": peak bytes of the process}.
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "data/blend_index.h"
#include "data/huge_pages.h"
#include "data/sample_index.h"
#include "data/sentence_index.h"
#include "data/speculative_blend.h"
#include "longhaul/core/error.h"
#include "longhaul/data/gpt_dataset.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/numpy_random.h"

namespace longhaul {
namespace {

using Clock = std::chrono::steady_clock;
using Words = std::vector<std::string>;

// An array's file, or nothing.
class Output {
 public:
  Output(const std::string& out, int number, IndexArray::Type type, int64_t rows, int64_t columns = 1) {
    if (out != "-") writer_.emplace(fmt::format("{}-{}.npy", out, number), type, rows, columns);
  }
  template <typename T>
  void append(std::span<const T> elements) {
    if (writer_) writer_->append(elements);
  }
  void finish() {
    if (writer_) writer_->finish();
  }

 private:
  std::optional<IndexArrayWriter> writer_;
};

// Each returns when the clock was started.
Clock::time_point blend(const Words& words) {
  const auto start = Clock::now();
  const int64_t size = std::stoll(words[2]);
  std::vector<double> weights, limits;
  for (size_t i = 3; i < words.size(); ++i) weights.push_back(std::stod(words[i]));
  if (*std::min_element(weights.begin(), weights.end()) > 1) limits = weights;
  Output datasets(words[1], 0, IndexArray::Type::int16, size), samples(words[1], 1, IndexArray::Type::int64, size);
  SpeculativeBlend(normalized(weights), limits)
      .serve(size, [&](std::span<const int16_t> some_datasets, std::span<const int64_t> some_samples) {
        datasets.append(some_datasets);
        samples.append(some_samples);
      });
  datasets.finish();
  samples.finish();
  return start;
}

Clock::time_point shuffle(const Words& words) {
  auto numbers = vector_in_huge_pages<uint32_t>(std::stoull(words[2]));
  std::iota(numbers.begin(), numbers.end(), 0U);
  const auto start = Clock::now();
  RandomState(static_cast<uint32_t>(std::stoul(words[3]))).shuffle(std::span(numbers));
  Output file(words[1], 0, IndexArray::Type::uint32, static_cast<int64_t>(numbers.size()));
  file.append(std::span<const uint32_t>(numbers));
  file.finish();
  return start;
}

Clock::time_point samples(const Words& words) {
  const IndexedDatasetReader reader(words[2]);
  const IndexArray array = IndexArray::load(words[4]);
  std::vector<int32_t> documents(static_cast<size_t>(array.rows()));
  std::memcpy(documents.data(), array.bytes().data(), array.bytes().size());
  EpochPlan plan;
  for (const int32_t document : documents) plan.tokens_per_epoch += reader.length(document);
  GptOrder order;
  order.sequence_length = std::stoll(words[3]);
  order.sequences = {0, reader.sequences()};
  plan.samples = (plan.tokens_per_epoch - 1) / order.sequence_length;
  const auto start = Clock::now();
  Output rows(words[1], 0, IndexArray::Type::int32, plan.samples + 1, 2);
  for_each_sample_row<int32_t>(reader, documents, order, plan, [&](std::span<const int32_t> piece) { rows.append(piece); });
  rows.finish();
  return start;
}

Clock::time_point sentences(const Words& words) {
  const IndexedDatasetReader reader(words[2]);
  SentenceOrder order;
  order.documents = {0, reader.documents()};
  order.longest = std::stoll(words[3]);
  order.samples = std::stoll(words[4]);
  order.fewest_sentences = 2;
  const auto start = Clock::now();
  const auto rows = build_sentence_index<uint32_t>(reader, order, words[2]);
  Output file(words[1], 0, IndexArray::Type::uint32, std::ssize(rows), 3);
  file.append(std::span(reinterpret_cast<const uint32_t*>(rows.data()), 3 * rows.size()));
  file.finish();
  return start;
}

Clock::time_point order(const Words& words) {
  const auto start = Clock::now();
  GptDatasetOptions options;
  options.cache_dir = words[1];
  options.sequence_length = std::stoll(words[3]);
  options.samples = std::stoll(words[4]);
  const GptDataset dataset(std::make_shared<const IndexedDatasetReader>(words[2]), options);
  return start;
}

Clock::time_point carry_out(const Words& words) {
  if (words.at(0) == "blend") return blend(words);
  if (words[0] == "shuffle") return shuffle(words);
  if (words[0] == "samples") return samples(words);
  if (words[0] == "sentences") return sentences(words);
  return order(words);
}

}  // namespace
}  // namespace longhaul

int main(int argc, char** argv) {
  using namespace longhaul;
  const Words words(argv + 1, argv + argc);
  const auto start = carry_out(words);
  const std::chrono::duration<double> passed = Clock::now() - start;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  fmt::print("{{\"seconds\": {:.4f}, \"memory\": {}}}\n", passed.count(), usage.ru_maxrss * 1024);
  return 0;
}
