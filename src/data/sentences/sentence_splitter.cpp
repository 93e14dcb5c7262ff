#include "longhaul/data/sentence_splitter.h"

#include <fmt/format.h>

#include <utility>

#include "data/sentences/boundaries.h"
#include "data/sentences/characters.h"
#include "data/sentences/punkt_parameters.h"
#include "data/sentences/punkt_words.h"
#include "longhaul/core/hash.h"

namespace longhaul {

using namespace sentences;

namespace {

constexpr size_t kPieceCharacters = 1'000'000;

// Whether the evidence on how a word is written speaks for its being the first of a sentence.
enum class Begins { yes, no, unknown };

class Decider {
 public:
  explicit Decider(const PunktParameters& parameters) : parameters_(parameters) {}

  // Whether a sentence ends in `context`, before its last word.
  bool has_end(std::string_view context) {
    texts_.clear();
    while (true) {
      const size_t newline = context.find('\n');
      const std::string_view line = context.substr(0, newline);
      if (stripped_size(line) > 0) append_words(line, texts_);
      if (newline == std::string_view::npos) break;
      context.remove_prefix(newline + 1);
    }
    if (texts_.empty()) return false;
    classify(texts_[0], parameters_, word_);
    for (size_t i = 1; i < texts_.size(); ++i) {
      classify(texts_[i], parameters_, next_);
      decide(word_, next_);
      if (word_.ends_sentence) return true;
      std::swap(word_, next_);
    }
    return false;
  }

 private:
  // Settles by the word behind it whether `word` ends a sentence.
  void decide(PunktWord& word, const PunktWord& next) {
    if (!word.ends_with_stop()) return;
    const std::string_view type = word.type_without_stop(), next_type = next.type_without_end();
    const bool initial = word.initial();
    pair_.assign(type).append(1, '\t').append(next_type);
    if (parameters_.collocations.contains(pair_)) return continues(word);
    if ((word.abbreviation || word.ellipsis) && !initial) {
      const bool starter = next.begins_upper() && parameters_.starters.contains(next_type);
      if (starter || begins_sentence(next) == Begins::yes) {
        word.ends_sentence = true;
        return;
      }
    }
    if (initial || type == kNumberType) {
      const Begins begins = begins_sentence(next);
      const bool always_upper = next.begins_upper() && !(parameters_.context(next_type) & kAnyLower);
      if (begins == Begins::no || (begins == Begins::unknown && initial && always_upper)) continues(word);
    }
  }
  static void continues(PunktWord& word) {
    word.ends_sentence = false;
    word.abbreviation = true;
  }

  Begins begins_sentence(const PunktWord& word) const {
    if (word.text.size() == 1 && std::string_view(";:,.!?").find(word.text[0]) != std::string_view::npos)
      return Begins::no;
    const uint8_t context = parameters_.context(word.type_without_end());
    if (word.begins_upper() && (context & kAnyLower) && !(context & kMiddleUpper)) return Begins::yes;
    if (word.begins_lower() && ((context & kAnyUpper) || !(context & kBeginLower))) return Begins::no;
    return Begins::unknown;
  }

  const PunktParameters& parameters_;
  std::vector<std::string_view> texts_;
  PunktWord word_, next_;
  std::string pair_;
};

struct Span {
  size_t begin;
  size_t end;
};

// Closing marks at the start of a sentence that belong to the one before it: they alone, and with the spaces
// behind them.
struct ClosingMarks {
  size_t bytes = 0;
  size_t with_spaces = 0;
};
ClosingMarks closing_marks(std::string_view sentence) {
  size_t end = 0;
  while (end < sentence.size()) {
    const tokenizer::CodePoint c = character_at(sentence, end);
    if (!closes_sentence(c.value)) break;
    end += c.bytes;
  }
  const size_t next = skip_spaces(sentence, end);
  if (end == 0 || (next == end && next < sentence.size() && !sentence.substr(next).starts_with("--"))) return {};
  return {end, next};
}

// Hands out the sentences once closing marks went over to the sentence that they close.
void append_realigned(std::string_view text, const std::vector<Span>& spans, std::vector<std::string_view>& sentences) {
  const auto part = [&](size_t begin, size_t end) {
    return begin < end ? text.substr(begin, end - begin) : std::string_view();
  };
  size_t taken = 0;  // bytes of this sentence that went to the one before
  for (size_t i = 0; i < spans.size(); ++i) {
    const size_t begin = spans[i].begin + taken;
    size_t end = spans[i].end;
    taken = 0;
    if (i + 1 < spans.size()) {
      const ClosingMarks marks = closing_marks(part(spans[i + 1].begin, spans[i + 1].end));
      if (marks.bytes > 0) end = spans[i + 1].begin + marks.bytes;
      taken = marks.with_spaces;
    }
    if (begin < end) sentences.push_back(part(begin, end));
  }
}

// The bytes of the first `count` characters.
size_t bytes_of_characters(std::string_view text, size_t count) {
  if (text.size() <= count) return text.size();
  size_t at = 0;
  for (; at < text.size() && count > 0; --count) at += character_at(text, at).bytes;
  return at;
}

}  // namespace

struct SentenceSplitter::Model {
  PunktParameters parameters;
  bool keep_newlines;
};

SentenceSplitter::SentenceSplitter(const std::filesystem::path& model, bool keep_newlines)
    : model_(new Model{PunktParameters::read(model), keep_newlines}) {}
SentenceSplitter::~SentenceSplitter() = default;

void SentenceSplitter::split(std::string_view text, std::vector<std::string_view>& sentences) const {
  Decider decider(model_->parameters);
  std::vector<Boundary> boundaries;
  std::vector<Span> spans;
  while (!text.empty()) {
    const std::string_view piece = text.substr(0, bytes_of_characters(text, kPieceCharacters));
    text.remove_prefix(piece.size());
    find_boundaries(piece, model_->keep_newlines, boundaries);
    spans.clear();
    size_t begin = 0;
    for (const Boundary& boundary : boundaries) {
      if (!decider.has_end(piece.substr(boundary.context_begin, boundary.context_end - boundary.context_begin)))
        continue;
      spans.push_back({begin, boundary.end});
      begin = boundary.next;
    }
    spans.push_back({begin, stripped_size(piece)});
    append_realigned(piece, spans, sentences);
  }
}

std::string SentenceSplitter::fingerprint() const {
  return fmt::format("punkt {}{}", hex64(model_->parameters.hash), model_->keep_newlines ? " with newlines" : "");
}

}  // namespace longhaul
