#include "data/sample_index.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <limits>
#include <memory>
#include <vector>

#include "data/divide_up.h"
#include "data/huge_pages.h"
#include "data/in_parallel.h"
#include "data/turns.h"
#include "longhaul/core/error.h"
#include "longhaul/data/indexed_dataset.h"

namespace longhaul {
namespace {

constexpr size_t kPiece = size_t{1} << 16;  // documents, and rows that are handed over at once
constexpr size_t kAhead = 128;              // documents whose lengths are on their way from memory

// The lengths of the sequences, close together: of the file's pages every one would be touched again and again.
class Lengths {
 public:
  Lengths(const IndexedDatasetReader& reader, const SequenceRange& sequences, size_t threads)
      : reader_(reader), first_(sequences.begin) {
    const auto count = static_cast<size_t>(sequences.count());
    narrow_.reset(new uint16_t[count]);  // each thread is the first to touch its part
    prefer_huge_pages(narrow_.get(), count * sizeof(uint16_t));
    in_parallel(threads, [&](size_t thread) {
      for (size_t i = count * thread / threads; i < count * (thread + 1) / threads; ++i) {
        narrow_[i] = static_cast<uint16_t>(std::min<int32_t>(reader.length(first_ + static_cast<int64_t>(i)), kWide));
      }
    });
  }

  // Those of documents [begin, begin + lengths.size()); returns their sum.
  int64_t fetch(std::span<const int32_t> documents, size_t begin, std::span<int32_t> lengths) const {
    int64_t sum = 0;
    for (size_t i = 0; i < lengths.size(); ++i) {
      const size_t later = std::min(begin + i + kAhead, documents.size() - 1);
      __builtin_prefetch(&narrow_[static_cast<size_t>(documents[later] - first_)]);
      const int32_t document = documents[begin + i];
      const uint16_t narrow = narrow_[static_cast<size_t>(document - first_)];
      lengths[i] = narrow == kWide ? reader_.length(document) : narrow;
      sum += lengths[i];
    }
    return sum;
  }

 private:
  static constexpr uint16_t kWide = std::numeric_limits<uint16_t>::max();  // so long or longer: to be looked up
  const IndexedDatasetReader& reader_;
  const int64_t first_;
  std::unique_ptr<uint16_t[]> narrow_;  // by sequence
};

// Goes through the samples from one on, and through the documents of a piece, side by side.
template <typename T>
class RowFinder {
 public:
  // `document`: the place of the piece's first in the document index; `begin`: that of its first token in the stream.
  RowFinder(std::span<const int32_t> lengths, size_t document, int64_t begin, int64_t sample, int64_t sequence_length)
      : lengths_(lengths),
        document_(document),
        begin_(begin),
        sequence_length_(sequence_length),
        token_(sample * sequence_length) {}

  // The rows of the next `count` samples, which begin in the piece.
  void find(size_t count, T* row) {
    T* const end = row + 2 * count;
    const auto write = [&] {
      row[0] = static_cast<T>(document_ + at_);
      row[1] = static_cast<T>(token_ - begin_);
    };
    while (row != end) {
      // Most documents hold the beginning of one sample or of none. Which of the two can't be predicted, so there is no
      // branch: where there is none, the next document writes the row again.
      const int64_t stop = begin_ + lengths_[at_];
      write();
      const bool here = token_ < stop;
      row += here ? 2 : 0;
      token_ += here ? sequence_length_ : 0;
      for (; token_ < stop && row != end; row += 2, token_ += sequence_length_) write();
      if (token_ < stop) return;  // the document holds the next samples, too
      begin_ = stop;
      ++at_;
    }
  }

 private:
  const std::span<const int32_t> lengths_;
  const size_t document_;
  size_t at_ = 0;
  int64_t begin_;  // of document at_
  const int64_t sequence_length_;
  int64_t token_;  // where the next sample begins
};

}  // namespace

template <typename T>
void for_each_sample_row(const IndexedDatasetReader& reader, std::span<const int32_t> documents, const GptOrder& order,
                         const EpochPlan& plan, const std::function<void(std::span<const T>)>& use) {
  const int64_t S = order.sequence_length;
  // Long documents hold many samples: of these, too, a piece has about kPiece.
  const auto samples_each = static_cast<size_t>(plan.samples) / documents.size();
  const size_t piece = std::max<size_t>(1, kPiece / (samples_each + 1));
  const size_t pieces = (documents.size() + piece - 1) / piece;
  const size_t threads = std::min(pieces, 2 * index_threads());  // some wait for their turn
  const Lengths all_lengths(reader, order.sequences, threads);
  use(std::array<T, 2>{0, 0});  // even where the first documents are empty

  std::atomic<size_t> next = 0;
  Turns to_sum, to_use;
  int64_t tokens = 0;  // of the pieces so far
  const auto work = [&] {
    std::vector<int32_t> room(piece);
    std::vector<T> rows(2 * kPiece);
    for (size_t number = next++; number < pieces; number = next++) {
      const size_t first = number * piece;
      const auto lengths = std::span(room).first(std::min(piece, documents.size() - first));
      const int64_t sum = all_lengths.fetch(documents, first, lengths);
      if (!to_sum.wait_for(number)) return;
      const int64_t begin = tokens;
      tokens += sum;
      to_sum.pass();

      const int64_t sample = std::max<int64_t>(1, divide_up(begin, S)),
                    end = std::min(divide_up(begin + sum, S), plan.samples + 1);
      size_t left = static_cast<size_t>(std::max<int64_t>(0, end - sample));
      RowFinder<T> finder(lengths, first, begin, sample, S);
      size_t found = std::min(left, kPiece);
      finder.find(found, rows.data());
      if (!to_use.wait_for(number)) return;
      while (found > 0) {
        use(std::span<const T>(rows).first(2 * found));
        left -= found;
        found = std::min(left, kPiece);
        finder.find(found, rows.data());
      }
      to_use.pass();
    }
  };
  in_parallel(threads, [&](size_t) {
    try {
      work();
    } catch (...) {
      to_sum.give_up();
      to_use.give_up();
      throw;
    }
  });

  const int64_t found = std::min(plan.samples, (tokens - 1) / S);  // samples that begin behind the first
  if (found < plan.samples) {
    // A last, partial sample ends with the stream, at the last token, which an empty last document has not.
    LONGHAUL_CHECK(found + 1 == plan.samples && !order.drop_last, "sample {} of {} begins behind the data", found + 1,
                   plan.samples);
    use(std::array<T, 2>{static_cast<T>(documents.size() - 1),
                         static_cast<T>(std::max<int64_t>(reader.length(documents.back()) - 1, 0))});
  }
}

template void for_each_sample_row<int32_t>(const IndexedDatasetReader&, std::span<const int32_t>, const GptOrder&,
                                           const EpochPlan&, const std::function<void(std::span<const int32_t>)>&);
template void for_each_sample_row<int64_t>(const IndexedDatasetReader&, std::span<const int32_t>, const GptOrder&,
                                           const EpochPlan&, const std::function<void(std::span<const int64_t>)>&);

}  // namespace longhaul
