#include "data/tokenizer/unigram.h"

#include <algorithm>
#include <limits>

#include "data/tokenizer/double_array.h"
#include "data/tokenizer/unicode.h"
#include "data/tokenizer/word_cache.h"
#include "longhaul/core/error.h"

namespace longhaul::tokenizer {
namespace {

// How much less an unknown character counts than the token with the lowest score.
constexpr double kUnknownPenalty = 10.0;
constexpr uint32_t kUnreached = UINT32_MAX;

// The best way to cut the text up to some place: its score, and its last token.
struct Best {
  double score = 0.0;
  uint32_t begin = kUnreached;
  int32_t id = 0;
};

struct UnigramScratch : ModelScratch {
  WordCache cache;
  std::vector<Best> best;    // for each place in the piece
  std::vector<Span> tokens;  // of the best way, the last one first
  std::vector<int32_t> token_ids;
};

class Unigram : public Model {
 public:
  explicit Unigram(UnigramConfig config) : config_(std::move(config)), trie_(config_.vocabulary.entries()) {
    const auto lowest = std::min_element(config_.scores.begin(), config_.scores.end());
    const double least = lowest == config_.scores.end() ? std::numeric_limits<double>::infinity() : *lowest;
    unknown_score_ = least - kUnknownPenalty;
    if (config_.byte_fallback) byte_ids_ = byte_tokens(config_.vocabulary);
  }

  std::unique_ptr<ModelScratch> make_scratch() const override { return std::make_unique<UnigramScratch>(); }
  const Vocabulary& vocabulary() const override { return config_.vocabulary; }

  void encode(const Pieces& pieces, ModelScratch& scratch, std::vector<int32_t>& ids) const override {
    auto& own = static_cast<UnigramScratch&>(scratch);
    for (size_t i = 0; i < pieces.spans.size(); ++i) {
      const std::string_view piece = pieces.piece(i);
      own.cache.append(piece, ids, [&] { cut(piece, own, ids, nullptr); });
    }
  }

  void encode_spans(std::string_view piece, ModelScratch& scratch, std::vector<int32_t>& ids,
                    std::vector<Span>& spans) const override {
    cut(piece, static_cast<UnigramScratch&>(scratch), ids, &spans);
  }

 private:
  void cut(std::string_view piece, UnigramScratch& scratch, std::vector<int32_t>& ids, std::vector<Span>* spans) const {
    find_best(piece, scratch.best);
    trace_back(piece.size(), scratch);
    for (size_t i = scratch.tokens.size(); i-- > 0;) {
      const Span span = scratch.tokens[i];
      const size_t before = ids.size();
      append_token(piece.substr(span.begin, span.end - span.begin), scratch.token_ids[i], ids);
      if (spans) spans->insert(spans->end(), ids.size() - before, span);
    }
  }

  void find_best(std::string_view piece, std::vector<Best>& best) const {
    LONGHAUL_CHECK(piece.size() < kUnreached, "a piece of {} bytes", piece.size());
    best.assign(piece.size() + 1, Best{});
    const auto offer = [&](size_t begin, size_t end, double score, int32_t id) {
      if (best[end].begin == kUnreached || score > best[end].score) {
        best[end] = {score, static_cast<uint32_t>(begin), id};
      }
    };
    for (size_t begin = 0; begin < piece.size();) {
      const double score = best[begin].score;
      const size_t next = begin + decode_utf8(piece.data() + begin).bytes;
      bool character_has_token = false;
      uint32_t state = DoubleArray::kRoot;
      for (size_t at = begin; at < piece.size();) {
        if (!trie_.step(state, static_cast<unsigned char>(piece[at]))) break;
        ++at;
        const int32_t id = trie_.value(state);
        if (id < 0) continue;
        offer(begin, at, config_.scores[id] + score, id);
        character_has_token |= at == next;
      }
      if (!character_has_token) {
        const double with_unknown = unknown_score_ + score;
        if (best[next].begin == kUnreached || with_unknown > best[next].score) {
          if (!config_.unknown_id) refuse_unknown(piece.substr(begin, next - begin), "");
          offer(begin, next, with_unknown, *config_.unknown_id);
        }
      }
      begin = next;
    }
  }

  // Leaves the tokens of the best way, the last one first; what is unknown in a row is one token.
  void trace_back(size_t end, UnigramScratch& scratch) const {
    scratch.tokens.clear();
    scratch.token_ids.clear();
    bool in_unknown = false;
    while (end > 0) {
      const Best& last = scratch.best[end];
      const bool unknown = config_.unknown_id == last.id;
      if (unknown && in_unknown) {
        scratch.tokens.back().begin = last.begin;
      } else {
        scratch.tokens.push_back({last.begin, end});
        scratch.token_ids.push_back(last.id);
      }
      in_unknown = unknown;
      end = last.begin;
    }
  }

  void append_token(std::string_view text, int32_t id, std::vector<int32_t>& ids) const {
    if (config_.unknown_id == id) {
      const int32_t known = config_.vocabulary.find(text);  // a token in spite of its score
      if (known >= 0) {
        id = known;
      } else if (config_.byte_fallback && append_byte_tokens(byte_ids_, text, ids)) {
        return;
      }
    }
    ids.push_back(id);
  }

  UnigramConfig config_;
  DoubleArray trie_;
  double unknown_score_ = 0;
  std::array<int32_t, 256> byte_ids_{};
};

}  // namespace

std::unique_ptr<Model> make_unigram(UnigramConfig config) {
  return std::make_unique<Unigram>(std::move(config));
}

}  // namespace longhaul::tokenizer
