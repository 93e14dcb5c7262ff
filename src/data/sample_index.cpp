#include "data/sample_index.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <vector>

#include "data/huge_pages.h"
#include "data/in_parallel.h"
#include "longhaul/core/error.h"
#include "longhaul/data/indexed_dataset.h"

namespace longhaul {
namespace {

constexpr size_t kPiece = size_t{1} << 17;  // documents or rows, a thread
constexpr size_t kAhead = 128;              // documents whose lengths are on their way from memory

// A stretch of the document index and where its documents begin in the stream.
class Stretch {
 public:
  Stretch(const IndexedDatasetReader& reader, const SequenceRange& sequences, std::span<const int32_t> documents, size_t threads)
      : first_sequence_(sequences.begin), documents_(documents), threads_(threads) {
    // Of the file's pages every one would be touched again and again.
    const auto count = static_cast<size_t>(sequences.count());
    lengths_.reset(new int32_t[count]);  // each thread is the first to touch its part
    prefer_huge_pages(lengths_.get(), count * sizeof(int32_t));
    in_parallel(threads, [&](size_t thread) {
      for (size_t i = count * thread / threads; i < count * (thread + 1) / threads; ++i) {
        lengths_[i] = reader.length(first_sequence_ + static_cast<int64_t>(i));
      }
    });
  }

  // Moves on to the next documents; false at the end.
  bool next() {
    first_ += count_;
    count_ = std::min(documents_.size() - first_, threads_ * kPiece);
    if (count_ == 0) return false;
    const int64_t begin = begins_.empty() ? 0 : begins_.back();
    begins_.resize(count_ + 1);
    begins_[0] = begin;
    sum_lengths();
    return true;
  }

  // Tokens of the stream before the end of the stretch.
  int64_t end() const { return begins_.back(); }

  // The rows of samples [sample, sample + rows.size() / 2), which begin in the stretch.
  template <typename T>
  void find(int64_t sample, int64_t sequence_length, std::span<T> rows) const {
    int64_t token = sample * sequence_length;
    auto at = static_cast<size_t>(std::upper_bound(begins_.begin(), begins_.end(), token) - begins_.begin() - 1);
    T *row = rows.data(), *const end = row + rows.size();
    const auto write = [&] {
      row[0] = static_cast<T>(first_ + at);
      row[1] = static_cast<T>(token - begins_[at]);
    };
    for (; row != end; ++at) {
      // Most documents hold the beginning of one sample or of none. Which of the two can't be predicted, so there is no branch:
      // where there is none, the next document writes the row again.
      write();
      const bool here = token < begins_[at + 1];
      row += here ? 2 : 0;
      token += here ? sequence_length : 0;
      for (; token < begins_[at + 1] && row != end; row += 2, token += sequence_length) write();
    }
  }

 private:
  // begins_[i + 1] becomes the end of document i: within each thread's part first, then with all that stands before it.
  void sum_lengths() {
    const auto part = [&](size_t thread) { return count_ * thread / threads_; };
    std::vector<int64_t> before(threads_ + 1, begins_[0]);  // each part's beginning
    in_parallel(threads_, [&](size_t thread) {
      int64_t sum = 0;
      for (size_t i = part(thread); i < part(thread + 1); ++i) {
        const size_t later = std::min(first_ + i + kAhead, documents_.size() - 1);
        __builtin_prefetch(&lengths_[static_cast<size_t>(documents_[later] - first_sequence_)]);
        sum += lengths_[static_cast<size_t>(documents_[first_ + i] - first_sequence_)];
        begins_[i + 1] = sum;
      }
      before[thread + 1] = sum;
    });
    std::partial_sum(before.begin(), before.end(), before.begin());
    in_parallel(threads_, [&](size_t thread) {
      for (size_t i = part(thread); i < part(thread + 1); ++i) begins_[i + 1] += before[thread];
    });
  }

  const int64_t first_sequence_;
  std::unique_ptr<int32_t[]> lengths_;  // by sequence
  const std::span<const int32_t> documents_;
  const size_t threads_;
  size_t first_ = 0, count_ = 0;
  std::vector<int64_t> begins_;
};

}  // namespace

template <typename T>
void for_each_sample_row(const IndexedDatasetReader& reader, std::span<const int32_t> documents, const GptOrder& order,
                         const EpochPlan& plan, const std::function<void(std::span<const T>)>& use) {
  const size_t threads = documents.size() < kPiece ? 1 : index_threads();
  const int64_t S = order.sequence_length;
  const std::vector<T> first{0, 0};  // even where the first documents are empty
  use(first);
  Stretch stretch(reader, order.sequences, documents, threads);
  std::vector<T> rows(2 * threads * kPiece);
  int64_t sample = 1;
  while (sample <= plan.samples && stretch.next()) {
    // Samples that begin before the end of the stretch.
    const int64_t end = std::min((stretch.end() - 1) / S, plan.samples) + 1;
    while (sample < end) {
      const auto count = std::min(static_cast<size_t>(end - sample), threads * kPiece);
      in_parallel(threads, [&](size_t thread) {
        const size_t begin = count * thread / threads, stop = count * (thread + 1) / threads;
        if (begin == stop) return;
        stretch.find(sample + static_cast<int64_t>(begin), S, std::span(rows).subspan(2 * begin, 2 * (stop - begin)));
      });
      use(std::span<const T>(rows).first(2 * count));
      sample += static_cast<int64_t>(count);
    }
  }
  if (sample <= plan.samples) {
    // A last, partial sample ends with the stream, at the last token, which an empty last document has not.
    LONGHAUL_CHECK(sample == plan.samples && !order.drop_last, "sample {} of {} begins behind the data", sample, plan.samples);
    const std::vector<T> last{static_cast<T>(documents.size() - 1),
                              static_cast<T>(std::max<int64_t>(reader.length(documents.back()) - 1, 0))};
    use(last);
  }
}

template void for_each_sample_row<int32_t>(const IndexedDatasetReader&, std::span<const int32_t>, const GptOrder&,
                                           const EpochPlan&, const std::function<void(std::span<const int32_t>)>&);
template void for_each_sample_row<int64_t>(const IndexedDatasetReader&, std::span<const int32_t>, const GptOrder&,
                                           const EpochPlan&, const std::function<void(std::span<const int64_t>)>&);

}  // namespace longhaul
