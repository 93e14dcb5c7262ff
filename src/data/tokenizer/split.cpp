#include "data/tokenizer/pre_tokenizer.h"
#include "data/tokenizer/unicode.h"

namespace longhaul::tokenizer {

namespace {

// A stretch of a piece: a match, or a gap between two.
struct Stretch {
  Span span;
  bool match;
};

class Split : public PreTokenizer {
 public:
  Split(std::unique_ptr<Matcher> matcher, SplitBehavior behavior, bool invert)
      : matcher_(std::move(matcher)), behavior_(behavior), invert_(invert) {}

  void apply(Pieces& pieces) const override {
    pieces.next.clear();
    for (size_t i = 0; i < pieces.spans.size(); ++i) {
      pieces.matches.clear();
      matcher_->find(pieces.piece(i), pieces.matches);
      cut(pieces.matches, pieces.spans[i], pieces.next);
    }
    pieces.take_next();
  }

 private:
  static void emit(size_t begin, size_t end, std::vector<Span>& out) {
    if (begin != end) out.push_back({begin, end});
  }

  void cut(const std::vector<Span>& matches, Span piece, std::vector<Span>& out) const {
    if (behavior_ == SplitBehavior::isolated) {
      size_t done = piece.begin;
      for (const Span& match : matches) {
        emit(done, piece.begin + match.begin, out);
        emit(piece.begin + match.begin, piece.begin + match.end, out);
        done = piece.begin + match.end;
      }
      emit(done, piece.end, out);
    } else {
      cut_by_flags(matches, piece, out);
    }
  }

  void cut_by_flags(const std::vector<Span>& matches, Span piece, std::vector<Span>& out) const {
    std::vector<Stretch> stretches;
    size_t done = piece.begin;
    for (const Span& match : matches) {
      const Span there{piece.begin + match.begin, piece.begin + match.end};
      if (done != there.begin) stretches.push_back({{done, there.begin}, invert_});
      stretches.push_back({there, !invert_});
      done = there.end;
    }
    if (done != piece.end) stretches.push_back({{done, piece.end}, invert_});

    std::vector<Span> merged;
    bool previous = false;
    switch (behavior_) {
      case SplitBehavior::isolated:
        break;  // done by the caller, without flags
      case SplitBehavior::removed:
        for (const Stretch& s : stretches) {
          if (!s.match) merged.push_back(s.span);
        }
        break;
      case SplitBehavior::contiguous:
        for (const Stretch& s : stretches) {
          join(s.match == previous, s.span, merged);
          previous = s.match;
        }
        break;
      case SplitBehavior::merged_with_previous:
        for (const Stretch& s : stretches) {
          join(s.match && !previous, s.span, merged);
          previous = s.match;
        }
        break;
      case SplitBehavior::merged_with_next:
        for (const Stretch& s : stretches) {
          join(previous && !s.match, s.span, merged);
          previous = s.match;
        }
        break;
    }
    for (const Span& s : merged) emit(s.begin, s.end, out);
  }

  static void join(bool with_last, Span span, std::vector<Span>& out) {
    if (with_last && !out.empty()) {
      out.back().end = span.end;
    } else {
      out.push_back(span);
    }
  }

  std::unique_ptr<Matcher> matcher_;
  SplitBehavior behavior_;
  bool invert_;
};

// The reference's \w+|[^\w\s]+ with the matches kept.
class WhitespaceMatcher : public Matcher {
 public:
  void find(std::string_view text, std::vector<Span>& matches) const override {
    const CharClasses& table = CharClasses::get();
    const auto kind = [&](size_t at) {
      const uint8_t classes = table.of(decode_utf8(text.data() + at).value);
      return classes & kWord ? kWord : classes & kSpace;
    };
    for (size_t at = 0; at < text.size();) {
      const int first = kind(at);
      size_t stop = at;
      while (stop < text.size() && kind(stop) == first) stop += decode_utf8(text.data() + stop).bytes;
      if (first != kSpace) matches.push_back({at, stop});
      at = stop;
    }
  }
};

}  // namespace

std::unique_ptr<PreTokenizer> make_split(std::unique_ptr<Matcher> matcher, SplitBehavior behavior, bool invert) {
  return std::make_unique<Split>(std::move(matcher), behavior, invert);
}

std::unique_ptr<PreTokenizer> make_whitespace() {
  return make_split(std::make_unique<WhitespaceMatcher>(), SplitBehavior::removed, true);
}

}  // namespace longhaul::tokenizer
