#include "data/sentence_index.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <future>
#include <limits>
#include <random>
#include <semaphore>
#include <span>
#include <utility>

#include "data/divide_up.h"
#include "data/huge_pages.h"
#include "data/sentence_row_ends.h"
#include "longhaul/core/error.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/mersenne_twister.h"

namespace longhaul {
namespace {

class Targets {
 public:
  explicit Targets(const SentenceOrder& order) : random_(order.seed), longest_(static_cast<uint32_t>(order.longest)) {
    if (order.short_probability > 0) every_ = static_cast<uint32_t>(std::round(1 / order.short_probability));
  }
  double mean() const {
    const double longest = longest_;
    return every_ == 0 ? longest : longest + ((longest + 2) / 2 - longest) / every_;
  }
  int64_t next() {
    if (every_ == 0) return longest_;
    const uint32_t drawn = random_();
    return drawn % every_ == 0 ? 2 + drawn % (longest_ - 1) : longest_;
  }

 private:
  MersenneTwister random_;
  uint32_t longest_, every_ = 0;  // one target of `every_` is short
};

// An array that grows at its end; another thread makes its memory ready meanwhile.
template <typename Row>
class GrowingRows {
 public:
  explicit GrowingRows(size_t expected) { make_room(expected); }

  size_t size() const { return rows_.size(); }
  void push_back(const Row& row) {
    if (rows_.size() == rows_.capacity()) make_room(rows_.size() + rows_.size() / 2 + 1);
    rows_.push_back(row);
  }
  std::vector<Row> take() && {
    ready_.get();
    return std::move(rows_);
  }

 private:
  void make_room(size_t expected) {
    if (ready_.valid()) ready_.get();
    std::vector<Row> larger;
    larger.reserve(expected + expected / 8);
    prefer_huge_pages(larger.data(), larger.capacity() * sizeof(Row));
    larger.insert(larger.end(), rows_.begin(), rows_.end());
    rows_.swap(larger);
    ready_ =
        std::async(std::launch::async, [data = rows_.data(), expected] { touch_pages(data, expected * sizeof(Row)); });
  }

  std::vector<Row> rows_;
  std::future<void> ready_;  // of the memory
};

// As std::shuffle by hand: row i trades places with one of the rows up to i. Which, a thread of its own draws, a batch
// ahead.
template <typename Row>
void shuffle_rows(std::span<Row> rows, uint32_t seed) {
  constexpr size_t kBatch = size_t{1} << 16, kAhead = 48;  // rows; those that are on their way from memory
  const std::vector<size_t> room(std::min(kBatch, rows.size()));
  std::array<std::vector<size_t>, 2> batches{room, room};  // here, so that the thread has nothing that can fail
  std::counting_semaphore<2> drawn(0), used(2);
  const auto for_each_batch = [&](const auto& work) {
    size_t number = 0;
    for (size_t left = rows.size(); left > 1;) {
      const size_t count = std::min(kBatch, left - 1);
      work(batches[number++ % 2], left, count);
      left -= count;
    }
  };
  const auto drawing = std::async(std::launch::async, [&] {
    std::mt19937_64 random(seed);
    for_each_batch([&](std::vector<size_t>& places, size_t left, size_t count) {
      used.acquire();
      for (size_t i = 0; i < count; ++i) places[i] = random() % (left - i);
      drawn.release();
    });
  });
  for_each_batch([&](const std::vector<size_t>& places, size_t left, size_t count) {
    drawn.acquire();
    for (size_t i = 0; i < count; ++i) {
      __builtin_prefetch(&rows[places[std::min(i + kAhead, count - 1)]], 1);
      std::swap(rows[left - 1 - i], rows[places[i]]);
    }
    used.release();
  });
}

}  // namespace

IndexArray::Type sentence_index_type(int64_t sentences) {
  return sentences > std::numeric_limits<uint32_t>::max() ? IndexArray::Type::uint64 : IndexArray::Type::uint32;
}

template <typename T>
std::vector<SentenceRow<T>> build_sentence_index(const IndexedDatasetReader& reader, const SentenceOrder& order,
                                                 const std::string& what) {
  LONGHAUL_CHECK(order.longest >= 2 && order.seed >= 1, "longest {}, seed {}", order.longest, order.seed);
  const SentenceRowEnds ends(reader, order, what);
  const int64_t epochs = order.samples ? divide_up(*order.samples, ends.rows()) : 1;
  Targets targets(order);
  // `ends` has counted the rows of longest targets.
  GrowingRows<SentenceRow<T>> growing(static_cast<size_t>(static_cast<double>(ends.rows() * epochs) *
                                                          static_cast<double>(order.longest) / targets.mean()));
  do {
    for (int64_t i = order.documents.begin; i < order.documents.end; ++i) {
      const int64_t document_end = reader.document_border(i + 1);
      int64_t begin = reader.document_border(i);
      if (!ends.useful(begin, document_end)) continue;
      int64_t target = targets.next();
      for (; begin < document_end; target = targets.next()) {
        const int64_t end = ends.find(begin, document_end, target);
        growing.push_back({static_cast<T>(begin), static_cast<T>(end), static_cast<T>(target)});
        begin = end;
      }
    }
  } while (order.samples && std::cmp_less(growing.size(), *order.samples));
  auto rows = std::move(growing).take();
  shuffle_rows(std::span(rows), order.seed + 1);
  return rows;
}

template std::vector<SentenceRow<uint32_t>> build_sentence_index(const IndexedDatasetReader&, const SentenceOrder&,
                                                                 const std::string&);
template std::vector<SentenceRow<uint64_t>> build_sentence_index(const IndexedDatasetReader&, const SentenceOrder&,
                                                                 const std::string&);

}  // namespace longhaul
