#include "data/tokenizer/train/bpe_trainer.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>
#include <unordered_map>

#include "data/tokenizer/byte_level.h"
#include "data/tokenizer/unicode.h"
#include "longhaul/core/error.h"
#include "longhaul/core/progress.h"

namespace longhaul::tokenizer {
namespace {

using Pair = uint64_t;  // left id << 32 | right id
Pair pair_of(uint32_t left, uint32_t right) {
  return static_cast<uint64_t>(left) << 32 | right;
}

// A pair that may be merged, as often as it was when it was put into the queue, and the words that have it.
struct Candidate {
  int64_t count;
  Pair pair;
  std::vector<uint32_t> words;
};
bool comes_later(const Candidate& a, const Candidate& b) {
  return a.count != b.count ? a.count < b.count : a.pair > b.pair;
}

using WordsOfPairs = std::unordered_map<Pair, std::vector<uint32_t>>;

void add_word(WordsOfPairs& words_of, Pair pair, uint32_t word) {
  std::vector<uint32_t>& words = words_of[pair];
  if (words.empty() || words.back() != word) words.push_back(word);
}

class Trainer {
 public:
  Trainer(const WordCounts& words, const BpeTraining& training) : training_(training) {
    add_alphabet();
    read_words(words);
    count_pairs();
  }

  TrainedBpe run() {
    std::optional<ProgressBar> bar;
    const auto start = static_cast<int64_t>(tokens_.size());
    if (training_.show_progress)
      bar.emplace("merging pairs", static_cast<double>(std::max<int64_t>(0, training_.vocab_size - start)), "tokens");
    while (static_cast<int64_t>(tokens_.size()) < training_.vocab_size && !queue_.empty()) {
      std::pop_heap(queue_.begin(), queue_.end(), comes_later);
      Candidate top = std::move(queue_.back());
      queue_.pop_back();
      const int64_t count = pair_counts_[top.pair];
      if (top.count != count) {
        top.count = count;
        push(std::move(top));
        continue;
      }
      if (count < std::max<int64_t>(1, training_.min_frequency)) break;
      merge(top);
      if (bar) bar->update(static_cast<double>(static_cast<int64_t>(tokens_.size()) - start));
    }
    if (bar) bar->finish();
    TrainedBpe trained{{}, named_merges()};
    trained.tokens = std::move(tokens_);
    return trained;
  }

 private:
  uint32_t id_of(const std::string& token) {
    const auto [at, fresh] = ids_.emplace(token, static_cast<uint32_t>(tokens_.size()));
    if (fresh) tokens_.push_back(token);
    return at->second;
  }

  // Special tokens get the first ids, then the letters in order of their code points.
  void add_alphabet() {
    for (const std::string& token : training_.special_tokens) id_of(token);
    std::array<int, 256> bytes;
    std::iota(bytes.begin(), bytes.end(), 0);
    std::sort(bytes.begin(), bytes.end(), [](int a, int b) {
      return decode_utf8(byte_letters()[a].data()).value < decode_utf8(byte_letters()[b].data()).value;
    });
    for (const int byte : bytes) byte_ids_[byte] = id_of(byte_letters()[byte]);
    if (static_cast<int64_t>(tokens_.size()) > training_.vocab_size) {
      throw UserError("a vocabulary of {} tokens is too small: special tokens and bytes alone are {}; ask for more",
                      training_.vocab_size, tokens_.size());
    }
  }

  void read_words(const WordCounts& words) {
    LONGHAUL_CHECK(words.size() < UINT32_MAX, "{} different words", words.size());
    starts_.reserve(words.size() + 1);
    for (size_t i = 0; i < words.size(); ++i) {
      starts_.push_back(symbols_.size());
      for (const char byte : words.word(i)) symbols_.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
      lengths_.push_back(static_cast<uint32_t>(words.word(i).size()));
      counts_.push_back(words.count(i));
    }
  }

  void count_pairs() {
    WordsOfPairs words_of;
    for (uint32_t word = 0; word < lengths_.size(); ++word) {
      const uint32_t* symbol = &symbols_[starts_[word]];
      for (uint32_t i = 0; i + 1 < lengths_[word]; ++i) {
        const Pair pair = pair_of(symbol[i], symbol[i + 1]);
        pair_counts_[pair] += counts_[word];
        add_word(words_of, pair, word);
      }
    }
    push_all(words_of);
  }

  void push(Candidate candidate) {
    queue_.push_back(std::move(candidate));
    std::push_heap(queue_.begin(), queue_.end(), comes_later);
  }
  void push_all(WordsOfPairs& words_of) {
    for (auto& [pair, words] : words_of) {
      const int64_t count = pair_counts_[pair];
      if (count > 0) push({count, pair, std::move(words)});
    }
  }

  void merge(const Candidate& top) {
    const auto left = static_cast<uint32_t>(top.pair >> 32);
    const auto right = static_cast<uint32_t>(top.pair);
    const uint32_t merged = id_of(tokens_[left] + tokens_[right]);
    merges_.push_back(top.pair);
    WordsOfPairs fresh;
    for (const uint32_t word : top.words) merge_in_word(word, left, right, merged, fresh);
    push_all(fresh);
  }

  // Every "left right" becomes "merged"; the pairs with the neighbours change accordingly.
  void merge_in_word(uint32_t word, uint32_t left, uint32_t right, uint32_t merged, WordsOfPairs& fresh) {
    uint32_t* symbol = &symbols_[starts_[word]];
    uint32_t length = lengths_[word];
    const int64_t count = counts_[word];
    uint32_t out = 0;
    for (uint32_t in = 0; in < length; ++in) {
      if (symbol[in] != left || in + 1 == length || symbol[in + 1] != right) {
        symbol[out++] = symbol[in];
        continue;
      }
      if (out > 0) {
        pair_counts_[pair_of(symbol[out - 1], left)] -= count;
        pair_counts_[pair_of(symbol[out - 1], merged)] += count;
        add_word(fresh, pair_of(symbol[out - 1], merged), word);
      }
      ++in;
      symbol[out++] = merged;
      if (in + 1 < length) {
        pair_counts_[pair_of(right, symbol[in + 1])] -= count;
        pair_counts_[pair_of(merged, symbol[in + 1])] += count;
        add_word(fresh, pair_of(merged, symbol[in + 1]), word);
      }
    }
    lengths_[word] = out;
  }

  // A pair can be merged twice (where its token could also be made of others); what counts is the last time.
  std::vector<std::pair<std::string, std::string>> named_merges() const {
    std::unordered_map<Pair, size_t> last;
    for (size_t i = 0; i < merges_.size(); ++i) last[merges_[i]] = i;
    std::vector<std::pair<std::string, std::string>> named;
    for (size_t i = 0; i < merges_.size(); ++i) {
      if (last[merges_[i]] != i) continue;
      named.emplace_back(tokens_[merges_[i] >> 32], tokens_[static_cast<uint32_t>(merges_[i])]);
    }
    return named;
  }

  const BpeTraining& training_;
  std::vector<std::string> tokens_;
  std::unordered_map<std::string, uint32_t> ids_;
  std::array<uint32_t, 256> byte_ids_{};
  // The words: all their symbols one behind the other, and of each where it starts, how long it is (by now) and
  // how often it occurs.
  std::vector<uint32_t> symbols_;
  std::vector<size_t> starts_;
  std::vector<uint32_t> lengths_;
  std::vector<int64_t> counts_;
  std::unordered_map<Pair, int64_t> pair_counts_;
  std::vector<Candidate> queue_;  // a heap
  std::vector<Pair> merges_;
};

}  // namespace

TrainedBpe train_bpe(const WordCounts& words, const BpeTraining& training) {
  return Trainer(words, training).run();
}

}  // namespace longhaul::tokenizer
