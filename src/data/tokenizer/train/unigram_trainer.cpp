#include "data/tokenizer/train/unigram_trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include "data/tokenizer/double_array.h"
#include "data/tokenizer/train/unigram_seeds.h"
#include "data/tokenizer/unicode.h"
#include "longhaul/core/error.h"
#include "longhaul/core/progress.h"

namespace longhaul::tokenizer {
namespace {

constexpr size_t kLongestPiece = 16;         // characters
constexpr size_t kSeeds = 1'000'000;         // pieces to begin with
constexpr int kFitsBeforePruning = 2;        // steps of expectation maximization
constexpr double kKeptByPruning = 0.75;      // of the pieces
constexpr double kLeastExpectedCount = 0.5;  // of a piece, or it is dropped
constexpr double kUnknownPenalty = 10.0;
constexpr double kImpossible = -std::numeric_limits<double>::infinity();

using Pieces = std::vector<std::pair<std::string, double>>;  // and their scores

double digamma(double x) {
  double result = 0.0;
  for (; x < 7.0; x += 1.0) result -= 1.0 / x;
  x -= 0.5;
  const double y = 1.0 / (x * x);
  return result + std::log(x) + y / 24 - 7 * y * y / 960 + 31 * y * y * y / 8064 - 127 * y * y * y * y / 30720;
}

double log_sum(double x, double y) {
  if (x == kImpossible) return y;
  const double high = std::max(x, y);
  const double low = std::min(x, y);
  return high > low + 50 ? high : high + std::log1p(std::exp(low - high));
}

// The pieces as a model. Piece 0 stands for characters that are no piece.
class Lattice {
 public:
  explicit Lattice(const Pieces& pieces) : pieces_(pieces) {
    std::vector<std::pair<std::string_view, int32_t>> entries;
    double least = std::numeric_limits<double>::infinity();
    for (size_t i = 1; i < pieces.size(); ++i) {
      entries.emplace_back(pieces[i].first, static_cast<int32_t>(i));
      least = std::min(least, pieces[i].second);
    }
    trie_ = DoubleArray(std::move(entries));
    least_ = least;
  }
  double least_score() const { return least_; }

  // Calls use(begin, end, piece, score) for every piece that fits somewhere into `word`.
  template <typename Use>
  void for_each(std::string_view word, Use&& use) const {
    for (size_t begin = 0; begin < word.size();) {
      const size_t next = begin + decode_utf8(word.data() + begin).bytes;
      bool known = false;
      uint32_t state = DoubleArray::kRoot;
      for (size_t at = begin; at < word.size();) {
        if (!trie_.step(state, static_cast<unsigned char>(word[at++]))) break;
        const int32_t piece = trie_.value(state);
        if (piece < 0) continue;
        use(begin, at, static_cast<size_t>(piece), pieces_[static_cast<size_t>(piece)].second);
        known |= at == next;
      }
      if (!known) use(begin, next, size_t{0}, least_ - kUnknownPenalty);
      begin = next;
    }
  }

  // Adds to `expected` how often each piece is to be expected in `count` times this word.
  void add_expected(std::string_view word, double count, std::vector<double>& expected) const {
    std::vector<double> before(word.size() + 1, kImpossible);  // logarithm of the sum over all ways up to a place
    std::vector<double> behind(word.size() + 1, kImpossible);
    before[0] = 0;
    behind[word.size()] = 0;
    struct Node {
      size_t begin, end, piece;
      double score;
    };
    std::vector<Node> nodes;
    for_each(word, [&](size_t begin, size_t end, size_t piece, double score) {
      nodes.push_back({begin, end, piece, score});
      before[end] = log_sum(before[end], before[begin] + score);
    });
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
      behind[node->begin] = log_sum(behind[node->begin], behind[node->end] + node->score);
    }
    for (const Node& node : nodes) {
      expected[node.piece] +=
          count * std::exp(before[node.begin] + node.score + behind[node.end] - before[word.size()]);
    }
  }

  struct Path {
    double score = kImpossible;
    std::vector<size_t> pieces;  // from the last one to the first
  };
  // The best way to cut `word`, without piece `except` if that isn't 0.
  Path best(std::string_view word, size_t except = 0) const {
    struct Best {
      double score = kImpossible;
      size_t begin = 0;
      size_t piece = 0;
    };
    std::vector<Best> best(word.size() + 1);
    best[0].score = 0;
    for_each(word, [&](size_t begin, size_t end, size_t piece, double score) {
      if (except != 0 && piece == except) return;
      const double sum = best[begin].score + score;
      if (sum > best[end].score) best[end] = {sum, begin, piece};
    });
    Path path{best.back().score, {}};
    if (path.score == kImpossible) return path;
    for (size_t end = word.size(); end > 0; end = best[end].begin) path.pieces.push_back(best[end].piece);
    return path;
  }

 private:
  const Pieces& pieces_;
  DoubleArray trie_;
  double least_ = 0;
};

class Trainer {
 public:
  Trainer(const WordCounts& words, const UnigramTraining& training) : words_(words), training_(training) {
    wanted_ = static_cast<size_t>(training.vocab_size);
    for (size_t i = 0; i < words.size(); ++i) {
      const std::string_view word = words.word(i);
      for (size_t at = 0; at < word.size();) {
        const uint32_t bytes = decode_utf8(word.data() + at).bytes;
        characters_.emplace(word.substr(at, bytes));
        at += bytes;
      }
    }
    if (characters_.size() + training.special_tokens.size() > wanted_) {
      throw UserError(
          "a vocabulary of {} tokens is too small: the texts have {} different characters, and there are {} "
          "special tokens; ask for more",
          wanted_, characters_.size(), training.special_tokens.size());
    }
  }

  Pieces run() {
    pieces_ = {{"", std::numeric_limits<double>::quiet_NaN()}};  // stands for what is unknown
    Pieces seeds = unigram_seeds(words_, kLongestPiece, kSeeds);
    double sum = 0;
    for (const auto& [piece, score] : seeds) sum += score;
    for (auto& [piece, score] : seeds) pieces_.emplace_back(std::move(piece), std::log(score) - std::log(sum));

    const size_t enough = wanted_ * 11 / 10;
    std::optional<ProgressBar> bar;
    const size_t start = pieces_.size();
    if (training_.show_progress)
      bar.emplace("dropping pieces", static_cast<double>(start > enough ? start - enough : 0), "pieces");
    for (;;) {
      for (int i = 0; i < kFitsBeforePruning; ++i) fit();
      if (bar) bar->update(static_cast<double>(start - pieces_.size()));
      if (pieces_.size() <= enough) break;
      prune(enough);
    }
    if (bar) bar->finish();
    return finish();
  }

 private:
  // Calls work(word index, sums of the pieces) for all words, with sums for each thread, and adds those up.
  template <typename Work>
  std::vector<double> over_words(Work&& work) const {
    const size_t threads = static_cast<size_t>(std::max<int64_t>(1, training_.threads));
    std::vector<std::vector<double>> sums(threads);
    const auto run = [&](size_t thread) {
      sums[thread].assign(pieces_.size(), 0.0);
      const size_t begin = words_.size() * thread / threads;
      const size_t end = words_.size() * (thread + 1) / threads;
      for (size_t i = begin; i < end; ++i) work(i, sums[thread]);
    };
    std::vector<std::thread> others;
    for (size_t thread = 1; thread < threads; ++thread) others.emplace_back(run, thread);
    run(0);
    for (std::thread& thread : others) thread.join();
    for (size_t thread = 1; thread < threads; ++thread) {
      for (size_t i = 0; i < pieces_.size(); ++i) sums[0][i] += sums[thread][i];
    }
    return std::move(sums[0]);
  }

  void fit() {
    const Lattice lattice(pieces_);
    const std::vector<double> counts = over_words([&](size_t word, std::vector<double>& sums) {
      lattice.add_expected(words_.word(word), static_cast<double>(words_.count(word)), sums);
    });
    Pieces kept{pieces_[0]};
    double sum = 0;
    for (size_t i = 1; i < pieces_.size(); ++i) {
      if (counts[i] < kLeastExpectedCount) continue;
      kept.emplace_back(std::move(pieces_[i].first), counts[i]);
      sum += counts[i];
    }
    // Digamma instead of the logarithm: a prior that favours few pieces.
    for (size_t i = 1; i < kept.size(); ++i) kept[i].second = digamma(kept[i].second) - digamma(sum);
    pieces_ = std::move(kept);
  }

  // Drops the pieces whose loss would lower the likelihood of the words the least, as far as can be estimated
  // from what each would be replaced by.
  void prune(size_t enough) {
    const Lattice lattice(pieces_);
    const std::vector<double> counts = over_words([&](size_t word, std::vector<double>& sums) {
      const auto count = static_cast<double>(words_.count(word));
      for (const size_t piece : lattice.best(words_.word(word)).pieces) sums[piece] += count;
    });
    double all_words = 0;
    for (size_t i = 0; i < words_.size(); ++i) all_words += static_cast<double>(words_.count(i));
    double all_pieces = 0;
    for (const double count : counts) all_pieces += count;

    std::vector<size_t> kept;
    std::vector<std::pair<double, size_t>> losses;
    for (size_t i = 1; i < pieces_.size(); ++i) {
      const double count = counts[i];
      const auto other = lattice.best(pieces_[i].first, i);
      const bool has_other = other.score != kImpossible;
      const bool best_by_itself = pieces_[i].second >= other.score;
      if (count == 0 && has_other && !best_by_itself) continue;
      if (!has_other || !best_by_itself) {
        kept.push_back(i);  // nothing could take its place
        continue;
      }
      if (count == 0) continue;
      const auto ways = static_cast<double>(other.pieces.size());
      const double log_all = std::log(all_pieces + count * (ways - 1));
      double log_others = 0;
      // From the first piece on: the losses of many pieces are equal, and stay so to the last digit.
      for (auto piece = other.pieces.rbegin(); piece != other.pieces.rend(); ++piece)
        log_others += std::log(counts[*piece] + count) - log_all;
      losses.emplace_back(count / all_words * (std::log(count) - std::log(all_pieces) - log_others), i);
    }
    std::stable_sort(losses.begin(), losses.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
    const auto by_factor = static_cast<size_t>(static_cast<double>(pieces_.size()) * kKeptByPruning);
    const size_t target = std::max(enough, by_factor);
    Pieces left{pieces_[0]};
    for (const size_t i : kept) left.push_back(pieces_[i]);
    for (const auto& [loss, i] : losses) {
      if (left.size() >= target) break;
      left.push_back(pieces_[i]);
    }
    pieces_ = std::move(left);
  }

  // All characters, then the other pieces as they come, up to the size wanted; in order of their scores.
  Pieces finish() const {
    const double least = Lattice(pieces_).least_score();
    std::map<std::string_view, double> scores(pieces_.begin() + 1, pieces_.end());
    Pieces chosen;
    double penalty = 0;
    for (const std::string& c : characters_) {
      const auto known = scores.find(c);
      chosen.emplace_back(c, known != scores.end() ? known->second : least + penalty);
      if (known == scores.end()) penalty += 0.0001;
    }
    const size_t most = wanted_ - training_.special_tokens.size();
    for (size_t i = 1; i < pieces_.size() && chosen.size() < most; ++i) {
      if (!characters_.contains(pieces_[i].first)) chosen.push_back(pieces_[i]);
    }
    std::stable_sort(chosen.begin(), chosen.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
    Pieces all;
    for (const std::string& token : training_.special_tokens) all.emplace_back(token, 0.0);
    all.insert(all.end(), chosen.begin(), chosen.end());
    return all;
  }

  const WordCounts& words_;
  const UnigramTraining& training_;
  size_t wanted_ = 0;
  std::set<std::string, std::less<>> characters_;
  Pieces pieces_;
};

}  // namespace

std::vector<std::pair<std::string, double>> train_unigram(const WordCounts& words, const UnigramTraining& training) {
  return Trainer(words, training).run();
}

}  // namespace longhaul::tokenizer
