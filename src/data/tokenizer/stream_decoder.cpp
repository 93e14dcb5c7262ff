#include "longhaul/data/tokenizer/stream_decoder.h"

#include <utility>

#include "data/tokenizer/pipeline.h"

namespace longhaul {

struct StreamDecoder::State {
  State(std::shared_ptr<const Tokenizer> owner, const tokenizer::Pipeline& pipeline, bool skip_special)
      : tokenizer(std::move(owner)), feed(pipeline, skip_special, sink) {}
  std::shared_ptr<const Tokenizer> tokenizer;
  tokenizer::TextSink sink;
  tokenizer::DecoderFeed feed;
};

StreamDecoder::StreamDecoder(std::shared_ptr<const Tokenizer> tokenizer, bool skip_special_tokens)
    : state_(std::make_unique<State>(tokenizer, *tokenizer->pipeline_, skip_special_tokens)) {}
StreamDecoder::~StreamDecoder() = default;
StreamDecoder::StreamDecoder(StreamDecoder&&) noexcept = default;
StreamDecoder& StreamDecoder::operator=(StreamDecoder&&) noexcept = default;

std::string StreamDecoder::push(int32_t id) {
  state_->feed.push(id);
  return std::exchange(state_->sink.text, {});
}

std::string StreamDecoder::finish() {
  state_->feed.finish();
  return std::exchange(state_->sink.text, {});
}

}  // namespace longhaul
