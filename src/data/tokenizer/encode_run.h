// The way of a text through a pipeline: added tokens, normalizer, added tokens again, pre-tokenizers. What comes
// out goes to a sink, which has the model: one that wants ids alone, one that wants to know where they stand.
#pragma once

#include "data/tokenizer/pipeline.h"
#include "data/tokenizer/unicode.h"

namespace longhaul::tokenizer {

// A thread's memory for encoding.
struct EncodeBuffers {
  explicit EncodeBuffers(const Pipeline& pipeline) : model(pipeline.model->make_scratch()) {}
  std::unique_ptr<ModelScratch> model;
  Pieces pieces;
  NormalizedText normalized;
  std::vector<AddedTokenFinder::Part> as_is;
  std::vector<AddedTokenFinder::Part> parts;
};

// A Sink has
//   static constexpr bool kTracks;              whether origins are wanted
//   void added(int32_t id, Span origin);        an added token; `origin` is its place in the text, if tracked
//   void pieces(const Pieces&, ModelScratch&);  pieces for the model
template <typename Sink>
class EncodeRun {
 public:
  EncodeRun(const Pipeline& pipeline, EncodeBuffers& buffers, Sink& sink)
      : pipeline_(pipeline), own_(buffers), sink_(sink) {}

  // `text` is valid UTF-8.
  void run(std::string_view text) {
    text_ = text;
    if (pipeline_.added_as_is.empty()) return normalize({0, text.size()});
    pipeline_.added_as_is.split(text, own_.as_is);
    for (const auto& part : own_.as_is) {
      if (part.id >= 0) {
        sink_.added(part.id, part.span);
      } else {
        normalize(part.span);
      }
    }
  }

 private:
  void normalize(Span span) {
    std::string_view stretch = text_.substr(span.begin, span.end - span.begin);
    own_.normalized.keeps_start = true;
    if constexpr (Sink::kTracks) track(span);
    if (Sink::kTracks || (pipeline_.normalizer && !pipeline_.normalizer->leaves_alone(stretch))) {
      own_.normalized.text.assign(stretch);
      if (pipeline_.normalizer) pipeline_.normalizer->normalize(own_.normalized);
      stretch = own_.normalized.text;
    }
    const bool starts_input = span.begin == 0 && own_.normalized.keeps_start;
    if (pipeline_.added_normalized.empty()) return pre_tokenize(stretch, {0, stretch.size()}, starts_input);
    pipeline_.added_normalized.split(stretch, own_.parts);
    for (const auto& part : own_.parts) {
      if (part.id >= 0) {
        sink_.added(part.id, origin(part.span));
      } else {
        pre_tokenize(stretch, part.span, starts_input && part.span.begin == 0);
      }
    }
  }

  void pre_tokenize(std::string_view stretch, Span span, bool starts_input) {
    own_.pieces.reset(stretch.substr(span.begin, span.end - span.begin), starts_input);
    own_.pieces.tracks = Sink::kTracks;
    if constexpr (Sink::kTracks) {
      const auto& origins = *own_.normalized.origins;
      own_.pieces.origins.assign(origins.begin() + static_cast<std::ptrdiff_t>(span.begin),
                                 origins.begin() + static_cast<std::ptrdiff_t>(span.end));
    }
    for (const auto& pre_tokenizer : pipeline_.pre_tokenizers) pre_tokenizer->apply(own_.pieces);
    sink_.pieces(own_.pieces, *own_.model);
  }

  // Before any rewriting every byte stands for the character that it belongs to.
  void track(Span span) {
    own_.normalized.origin_begin = span.begin;
    std::vector<Span>& origins = own_.normalized.origins.emplace();
    for (size_t at = span.begin; at < span.end;) {
      const uint32_t bytes = decode_utf8(text_.data() + at).bytes;
      origins.insert(origins.end(), bytes, {at, at + bytes});
      at += bytes;
    }
  }
  Span origin(Span span) const {
    if constexpr (!Sink::kTracks) return {};
    const auto& origins = *own_.normalized.origins;
    return {origins[span.begin].begin, origins[span.end - 1].end};
  }

  const Pipeline& pipeline_;
  EncodeBuffers& own_;
  Sink& sink_;
  std::string_view text_;
};

}  // namespace longhaul::tokenizer
