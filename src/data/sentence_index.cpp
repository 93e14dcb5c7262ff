#include "data/sentence_index.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <span>
#include <utility>

#include "data/huge_pages.h"
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
  int64_t next() {
    if (every_ == 0) return longest_;
    const uint32_t drawn = random_();
    return drawn % every_ == 0 ? 2 + drawn % (longest_ - 1) : longest_;
  }

 private:
  MersenneTwister random_;
  uint32_t longest_, every_ = 0;  // one target of `every_` is short
};

struct Document {
  int64_t begin, end;  // sentences
  int64_t sentences() const { return end - begin; }
};

Document document(const IndexedDatasetReader& reader, int64_t number) {
  return {reader.document_border(number), reader.document_border(number + 1)};
}

bool has_long_sentence(const IndexedDatasetReader& reader, const Document& document) {
  if (document.sentences() <= 1) return false;
  for (int64_t i = document.begin; i < document.end; ++i) {
    if (reader.length(i) > kLongestSentence) return true;
  }
  return false;
}

// One bit a document of the order: whether it is of use.
std::vector<bool> useful_documents(const IndexedDatasetReader& reader, const SentenceOrder& order, const std::string& what) {
  std::vector<bool> useful(static_cast<size_t>(order.documents.count()));
  int64_t short_ones = 0, long_ones = 0;
  for (size_t i = 0; i < useful.size(); ++i) {
    const Document found = document(reader, order.documents.begin + static_cast<int64_t>(i));
    const bool is_short = found.sentences() < order.fewest_sentences;
    const bool is_long = has_long_sentence(reader, found);
    short_ones += is_short ? 1 : 0;
    long_ones += is_long ? 1 : 0;
    useful[i] = !is_short && !is_long && found.sentences() > 0;
  }
  if (std::find(useful.begin(), useful.end(), true) == useful.end()) {
    throw UserError(
        "{} has no document to take samples from: of {} documents, {} have fewer than {} sentences and {} have a sentence of more "
        "than {} tokens; prepare the texts cut into sentences, and see that each share of the split holds some",
        what, useful.size(), short_ones, order.fewest_sentences, long_ones, kLongestSentence);
  }
  return useful;
}

// For `samples` rows and what the epoch that completes them has more, about as many as the first had, which `rows` are.
template <typename Row>
void make_room(std::vector<Row>& rows, int64_t samples) {
  std::vector<Row> larger;
  larger.reserve(static_cast<size_t>(samples) + rows.size() + rows.size() / 8);
  prefer_huge_pages(larger.data(), larger.capacity() * sizeof(Row));
  larger.insert(larger.end(), rows.begin(), rows.end());
  rows.swap(larger);
}

// As std::shuffle by hand: row i trades places with one of the rows up to i. Where to is drawn a batch ahead, and fetched from
// memory meanwhile.
template <typename Row>
void shuffle_rows(std::span<Row> rows, uint32_t seed) {
  std::mt19937_64 random(seed);
  std::array<size_t, 256> places;
  for (size_t left = rows.size(); left > 1;) {
    const size_t count = std::min(places.size(), left - 1);
    for (size_t i = 0; i < count; ++i) {
      places[i] = random() % (left - i);
      __builtin_prefetch(&rows[places[i]], 1);
    }
    for (size_t i = 0; i < count; ++i) std::swap(rows[--left], rows[places[i]]);
  }
}

}  // namespace

template <typename T>
std::vector<SentenceRow<T>> build_sentence_index(const IndexedDatasetReader& reader, const SentenceOrder& order,
                                                 const std::string& what) {
  LONGHAUL_CHECK(order.longest >= 2 && order.seed >= 1, "longest {}, seed {}", order.longest, order.seed);
  const std::vector<bool> useful = useful_documents(reader, order, what);
  std::vector<SentenceRow<T>> rows;
  Targets targets(order);
  do {
    for (size_t i = 0; i < useful.size(); ++i) {
      if (!useful[i]) continue;
      const Document found = document(reader, order.documents.begin + static_cast<int64_t>(i));
      int64_t begin = found.begin, tokens = 0, target = targets.next();
      for (int64_t sentence = found.begin; sentence < found.end; ++sentence) {
        tokens += reader.length(sentence);
        const int64_t left = found.end - 1 - sentence, gathered = sentence + 1 - begin;
        const bool full = tokens >= target && left > 1 && gathered >= order.fewest_sentences;
        if (!full && left > 0) continue;
        rows.push_back({static_cast<T>(begin), static_cast<T>(sentence + 1), static_cast<T>(target)});
        begin = sentence + 1;
        tokens = 0;
        target = targets.next();
      }
    }
    if (order.samples && rows.capacity() < static_cast<size_t>(*order.samples)) make_room(rows, *order.samples);
  } while (order.samples && std::ssize(rows) < *order.samples);
  shuffle_rows(std::span(rows), order.seed + 1);
  return rows;
}

template std::vector<SentenceRow<uint32_t>> build_sentence_index(const IndexedDatasetReader&, const SentenceOrder&,
                                                                 const std::string&);
template std::vector<SentenceRow<uint64_t>> build_sentence_index(const IndexedDatasetReader&, const SentenceOrder&,
                                                                 const std::string&);

}  // namespace longhaul
