// Times the building of a dataset's order, for tools/bench_indices.py.
//
//   index_bench blend OUT SIZE W…                    a blend's two arrays; W: weights, or sizes where all are above 1
//   index_bench shuffle OUT N SEED                   the numbers below N, shuffled
//   index_bench samples OUT PREFIX S DOCUMENTS.npy   a sample index
//   index_bench sentences OUT PREFIX LONGEST SAMPLES  the rows of a BERT dataset
//   index_bench order CACHE PREFIX S SAMPLES         a GPT dataset's three arrays, into the folder CACHE
//
// The arrays are left as OUT-0.npy and OUT-1.npy; where OUT is "-", in memory. Prints {"seconds": of building and
// writing, "cpu_seconds": those of all threads meanwhile, "memory": peak bytes of the process}.
#include <fmt/format.h>
#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <string>
#include <vector>

#include "data/blend_index.h"
#include "data/huge_pages.h"
#include "data/index_array_writer.h"
#include "data/sample_index.h"
#include "data/sentence_index.h"
#include "data/speculative_blend.h"
#include "longhaul/core/error.h"
#include "longhaul/data/gpt_dataset.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/numpy_random.h"

namespace longhaul {
namespace {

struct Moment {
  double seconds, cpu_seconds;
};

Moment now() {
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now().time_since_epoch();
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return {passed.count(), seconds(usage.ru_utime) + seconds(usage.ru_stime)};
}

using Words = std::vector<std::string>;

// Where an array goes.
IndexArrayWriter output(const std::string& out, int number, IndexArray::Type type, int64_t rows, int64_t columns = 1) {
  if (out == "-") return {type, rows, columns};
  return {fmt::format("{}-{}.npy", out, number), type, rows, columns};
}

// An array that is in memory.
void keep(const std::string& out, std::span<const uint32_t> elements, int64_t columns) {
  if (out == "-") return;
  auto file = output(out, 0, IndexArray::Type::uint32, std::ssize(elements) / columns, columns);
  file.append(elements);
  file.finish();
}

// Each returns when the clock was started.
Moment blend(const Words& words) {
  const auto start = now();
  const int64_t size = std::stoll(words[2]);
  std::vector<double> weights, limits;
  for (size_t i = 3; i < words.size(); ++i) weights.push_back(std::stod(words[i]));
  if (*std::min_element(weights.begin(), weights.end()) > 1) limits = weights;
  auto datasets = output(words[1], 0, IndexArray::Type::int16, size),
       samples = output(words[1], 1, IndexArray::Type::int64, size);
  SpeculativeBlend(normalized(weights), limits)
      .serve(size, [&](std::span<const int16_t> some_datasets, std::span<const int64_t> some_samples) {
        datasets.append(some_datasets);
        samples.append(some_samples);
      });
  datasets.finish();
  samples.finish();
  return start;
}

Moment shuffle(const Words& words) {
  auto numbers = vector_in_huge_pages<uint32_t>(std::stoull(words[2]));
  std::iota(numbers.begin(), numbers.end(), 0U);
  const auto start = now();
  RandomState(static_cast<uint32_t>(std::stoul(words[3]))).shuffle(std::span(numbers));
  keep(words[1], numbers, 1);
  return start;
}

Moment samples(const Words& words) {
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
  const auto start = now();
  auto rows = output(words[1], 0, IndexArray::Type::int32, plan.samples + 1, 2);
  for_each_sample_row<int32_t>(reader, documents, order, plan,
                               [&](std::span<const int32_t> piece) { rows.append(piece); });
  rows.finish();
  return start;
}

Moment sentences(const Words& words) {
  const IndexedDatasetReader reader(words[2]);
  SentenceOrder order;
  order.documents = {0, reader.documents()};
  order.longest = std::stoll(words[3]);
  order.samples = std::stoll(words[4]);
  order.fewest_sentences = 2;
  const auto start = now();
  const auto rows = build_sentence_index<uint32_t>(reader, order, words[2]);
  keep(words[1], std::span(reinterpret_cast<const uint32_t*>(rows.data()), 3 * rows.size()), 3);
  return start;
}

Moment order(const Words& words) {
  const auto start = now();
  GptDatasetOptions options;
  options.cache_dir = words[1];
  options.sequence_length = std::stoll(words[3]);
  options.samples = std::stoll(words[4]);
  const GptDataset dataset(std::make_shared<const IndexedDatasetReader>(words[2]), options);
  return start;
}

Moment carry_out(const Words& words) {
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
  // In memory the second time counts, when the system has given the process memory before, as with the helpers. malloc
  // keeps it.
  if (words.at(1) == "-") {
    ::mallopt(M_MMAP_MAX, 0);
    ::mallopt(M_TRIM_THRESHOLD, -1);
    carry_out(words);
  }
  const auto start = carry_out(words);
  const auto end = now();
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  fmt::print("{{\"seconds\": {:.4f}, \"cpu_seconds\": {:.4f}, \"memory\": {}}}\n", end.seconds - start.seconds,
             end.cpu_seconds - start.cpu_seconds, usage.ru_maxrss * 1024);
  return 0;
}
