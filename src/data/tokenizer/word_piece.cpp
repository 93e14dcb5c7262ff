#include "data/tokenizer/word_piece.h"

#include <algorithm>

#include "data/tokenizer/double_array.h"
#include "data/tokenizer/word_cache.h"

namespace longhaul::tokenizer {
namespace {

struct WordPieceScratch : ModelScratch {
  WordCache cache;
};

class WordPiece : public Model {
 public:
  explicit WordPiece(WordPieceConfig config)
      : config_(std::move(config)),
        trie_(config_.vocabulary.entries()),
        unknown_id_(config_.vocabulary.find(config_.unknown_token)) {
    has_continuing_ = trie_.walk(continuing_, config_.continuing_prefix);
  }

  std::unique_ptr<ModelScratch> make_scratch() const override { return std::make_unique<WordPieceScratch>(); }
  const Vocabulary& vocabulary() const override { return config_.vocabulary; }

  void encode(const Pieces& pieces, ModelScratch& scratch, std::vector<int32_t>& ids) const override {
    WordCache& cache = static_cast<WordPieceScratch&>(scratch).cache;
    for (size_t i = 0; i < pieces.spans.size(); ++i) {
      const std::string_view word = pieces.piece(i);
      cache.append(word, ids, [&] { cut(word, ids, nullptr); });
    }
  }

  void encode_spans(std::string_view piece, ModelScratch&, std::vector<int32_t>& ids,
                    std::vector<Span>& spans) const override {
    cut(piece, ids, &spans);
  }

 private:
  void cut(std::string_view word, std::vector<int32_t>& ids, std::vector<Span>* spans) const {
    const size_t first_id = ids.size();
    const size_t first_span = spans ? spans->size() : 0;
    bool whole = characters(word) <= config_.max_characters;
    for (size_t begin = 0; whole && begin < word.size();) {
      const auto [id, end] = longest(word, begin);
      whole = id >= 0;
      if (!whole) break;
      ids.push_back(id);
      if (spans) spans->push_back({begin, end});
      begin = end;
    }
    if (whole) return;
    if (unknown_id_ < 0) refuse_unknown(word, config_.unknown_token);
    ids.resize(first_id);
    ids.push_back(unknown_id_);
    if (!spans) return;
    spans->resize(first_span);
    spans->push_back({0, word.size()});
  }

  static size_t characters(std::string_view word) {
    return static_cast<size_t>(
        std::count_if(word.begin(), word.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
  }

  struct Match {
    int32_t id;
    size_t end;
  };
  // The longest token at `begin`; id -1 if there is none.
  Match longest(std::string_view word, size_t begin) const {
    Match match{-1, begin};
    if (begin > 0 && !has_continuing_) return match;
    uint32_t state = begin > 0 ? continuing_ : DoubleArray::kRoot;
    for (size_t at = begin; at < word.size();) {
      if (!trie_.step(state, static_cast<unsigned char>(word[at]))) break;
      ++at;
      if (trie_.value(state) >= 0) match = {trie_.value(state), at};
    }
    return match;
  }

  WordPieceConfig config_;
  DoubleArray trie_;
  int32_t unknown_id_;
  uint32_t continuing_ = DoubleArray::kRoot;  // behind the prefix
  bool has_continuing_;
};

class WordLevel : public Model {
 public:
  explicit WordLevel(WordLevelConfig config)
      : config_(std::move(config)), unknown_id_(config_.vocabulary.find(config_.unknown_token)) {}

  std::unique_ptr<ModelScratch> make_scratch() const override { return std::make_unique<ModelScratch>(); }
  const Vocabulary& vocabulary() const override { return config_.vocabulary; }

  void encode(const Pieces& pieces, ModelScratch&, std::vector<int32_t>& ids) const override {
    for (size_t i = 0; i < pieces.spans.size(); ++i) ids.push_back(id_of(pieces.piece(i)));
  }
  void encode_spans(std::string_view piece, ModelScratch&, std::vector<int32_t>& ids,
                    std::vector<Span>& spans) const override {
    ids.push_back(id_of(piece));
    spans.push_back({0, piece.size()});
  }

 private:
  int32_t id_of(std::string_view word) const {
    const int32_t id = config_.vocabulary.find(word);
    if (id >= 0) return id;
    if (unknown_id_ < 0) refuse_unknown(word, config_.unknown_token);
    return unknown_id_;
  }

  WordLevelConfig config_;
  int32_t unknown_id_;
};

}  // namespace

std::unique_ptr<Model> make_word_piece(WordPieceConfig config) {
  return std::make_unique<WordPiece>(std::move(config));
}
std::unique_ptr<Model> make_word_level(WordLevelConfig config) {
  return std::make_unique<WordLevel>(std::move(config));
}

}  // namespace longhaul::tokenizer
