#include "data/tokenizer/encode_offsets.h"

namespace longhaul::tokenizer {
namespace {

// Gathers tokens with their places in bytes of the (mended) text.
class PlacedSink {
 public:
  static constexpr bool kTracks = true;

  explicit PlacedSink(const Pipeline& pipeline) : pipeline_(pipeline) {}

  void added(int32_t id, Span origin) { push(id, origin); }

  void pieces(const Pieces& pieces, ModelScratch& scratch) {
    for (size_t i = 0; i < pieces.spans.size(); ++i) {
      ids_.clear();
      spans_.clear();
      pipeline_.model->encode_spans(pieces.piece(i), scratch, ids_, spans_);
      for (size_t k = 0; k < ids_.size(); ++k) push(ids_[k], origin(pieces, pieces.spans[i], spans_[k]));
    }
  }

  std::vector<PlacedToken> tokens;

 private:
  // What the bytes `span` of `piece` stand for. As in the reference, spans that don't fit the piece are taken
  // for places in the text themselves.
  static Span origin(const Pieces& pieces, Span piece, Span span) {
    const Span* origins = pieces.origins.data() + piece.begin;
    if (span.begin == span.end) return {origins[0].begin + span.begin, origins[0].begin + span.end};
    if (span.end > piece.end - piece.begin) return span;
    return {origins[span.begin].begin, origins[span.end - 1].end};
  }

  void push(int32_t id, Span place) {
    const auto text = pipeline_.id_to_token(id);
    tokens.push_back({id, place, std::string(text.value_or(""))});
  }

  const Pipeline& pipeline_;
  std::vector<int32_t> ids_;
  std::vector<Span> spans_;
};

// Where the characters of a text start, in the bytes of the text as it was given (which may be no UTF-8) and as
// it is encoded (where each invalid part is U+FFFD).
struct Characters {
  std::vector<size_t> given;    // one more than there are characters: the end
  std::vector<size_t> of_byte;  // for each byte of the text as it is encoded, and its end, the character

  explicit Characters(std::string_view text) {
    size_t at = 0;
    const auto add = [&](size_t given_bytes, size_t bytes) {
      of_byte.insert(of_byte.end(), bytes, given.size());
      given.push_back(at);
      at += given_bytes;
    };
    while (at < text.size()) {
      const size_t valid = at + valid_utf8_prefix(text.substr(at));
      while (at < valid) {
        const uint32_t bytes = decode_utf8(text.data() + at).bytes;
        add(bytes, bytes);
      }
      if (at < text.size()) add(invalid_utf8_part(text.substr(at)).bytes, kReplacementCharacter.size());
    }
    of_byte.push_back(given.size());
    given.push_back(at);
  }

  Span of_bytes(Span bytes) const {
    if (bytes.begin + 1 >= of_byte.size()) return bytes;  // as in the reference
    return {of_byte[bytes.begin], of_byte[std::min(bytes.end, of_byte.size() - 1)]};
  }
};

}  // namespace

std::vector<TokenPlace> encode_with_offsets(const Pipeline& pipeline, EncodeBuffers& buffers, std::string_view text,
                                            bool add_special_tokens) {
  const Characters characters(text);
  PlacedSink sink(pipeline);
  const std::string mended = valid_utf8(text) ? std::string(text) : replace_invalid_utf8(text);
  EncodeRun(pipeline, buffers, sink).run(mended);
  for (PlacedToken& token : sink.tokens) token.place = characters.of_bytes(token.place);
  for (const auto& post_processor : pipeline.post_processors) post_processor->process(sink.tokens, add_special_tokens);

  std::vector<TokenPlace> places;
  const size_t count = characters.given.size() - 1;
  for (const PlacedToken& token : sink.tokens) {
    const Span place = token.place;
    places.push_back({token.id, characters.given[std::min(place.begin, count)],
                      characters.given[std::min(place.end, count)], place.begin, place.end});
  }
  return places;
}

}  // namespace longhaul::tokenizer
