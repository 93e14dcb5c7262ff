// Metaspace makes spaces visible, as SentencePiece does: " " becomes "▁", and a word at the start gets one
// too.
#include <algorithm>

#include "data/tokenizer/pre_tokenizer.h"

namespace longhaul::tokenizer {
namespace {

class Metaspace : public PreTokenizer {
 public:
  Metaspace(std::string replacement, PrependScheme scheme, bool split)
      : replacement_(std::move(replacement)), scheme_(scheme), split_(split) {}

  void apply(Pieces& pieces) const override {
    pieces.start_spare();
    pieces.next.clear();
    for (size_t i = 0; i < pieces.spans.size(); ++i) {
      const std::string_view piece = pieces.piece(i);
      const size_t begin = pieces.spare.size();
      const bool may_prepend =
          scheme_ == PrependScheme::always || (scheme_ == PrependScheme::first && i == 0 && pieces.starts_input);
      if (may_prepend && !piece.starts_with(' ') && !piece.starts_with(replacement_))
        pieces.put(replacement_, pieces.spans[i].begin);
      append_replaced(pieces, pieces.spans[i]);
      cut(pieces.spare, begin, pieces.next);
    }
    pieces.spans.swap(pieces.next);
    pieces.adopt_spare();
  }

 private:
  void append_replaced(Pieces& pieces, Span piece) const {
    for (size_t at = piece.begin;;) {
      const size_t space = std::min(pieces.text.find(' ', at), piece.end);
      pieces.keep(at, space);
      if (space == piece.end) return;
      pieces.put(replacement_, space);
      at = space + 1;
    }
  }

  void cut(std::string_view text, size_t begin, std::vector<Span>& out) const {
    if (split_) {
      for (size_t at = begin; (at = text.find(replacement_, at)) != std::string_view::npos; at += replacement_.size()) {
        if (at != begin) out.push_back({begin, at});
        begin = at;
      }
    }
    if (begin != text.size()) out.push_back({begin, text.size()});
  }

  std::string replacement_;
  PrependScheme scheme_;
  bool split_;
};

}  // namespace

std::unique_ptr<PreTokenizer> make_metaspace(std::string replacement, PrependScheme scheme, bool split) {
  return std::make_unique<Metaspace>(std::move(replacement), scheme, split);
}

}  // namespace longhaul::tokenizer
