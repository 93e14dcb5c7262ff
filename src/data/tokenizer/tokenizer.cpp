#include "longhaul/data/tokenizer/tokenizer.h"

#include <algorithm>
#include <mutex>

#include "data/tokenizer/pipeline.h"
#include "data/tokenizer/tokenizer_folder.h"
#include "data/tokenizer/tokenizer_json.h"
#include "data/tokenizer/unicode.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/hash.h"
#include "longhaul/core/log.h"

namespace longhaul {

using tokenizer::AddedTokenFinder;

struct EncodeScratch::Buffers {
  explicit Buffers(const tokenizer::Pipeline& pipeline) : model(pipeline.model->make_scratch()) {}
  std::unique_ptr<tokenizer::ModelScratch> model;
  tokenizer::Pieces pieces;
  tokenizer::NormalizedText normalized;
  std::vector<AddedTokenFinder::Part> as_is;
  std::vector<AddedTokenFinder::Part> parts;
};

EncodeScratch::EncodeScratch(const Tokenizer& tokenizer)
    : buffers_(std::make_unique<Buffers>(*tokenizer.pipeline_)) {}
EncodeScratch::~EncodeScratch() = default;
EncodeScratch::EncodeScratch(EncodeScratch&&) noexcept = default;
EncodeScratch& EncodeScratch::operator=(EncodeScratch&&) noexcept = default;

// Scratches for callers who bring none: as many as ever encoded at the same time.
struct Tokenizer::ScratchPool {
  std::mutex mutex;
  std::vector<EncodeScratch> free;
};

Tokenizer::Tokenizer(std::unique_ptr<const tokenizer::Pipeline> pipeline, uint64_t fingerprint)
    : pipeline_(std::move(pipeline)), pool_(std::make_unique<ScratchPool>()), fingerprint_(fingerprint) {}
Tokenizer::~Tokenizer() = default;

std::shared_ptr<const Tokenizer> Tokenizer::from_file(const std::filesystem::path& file) {
  const std::string text = read_text(file);
  auto pipeline = tokenizer::read_pipeline(text, file);
  return std::shared_ptr<const Tokenizer>(new Tokenizer(std::move(pipeline), xxh3(text)));
}

std::shared_ptr<const Tokenizer> Tokenizer::from_folder(const std::filesystem::path& folder) {
  const std::filesystem::path file = tokenizer::tokenizer_file(folder);
  const std::string text = read_text(file);
  auto pipeline = tokenizer::read_pipeline(text, file);
  const tokenizer::FolderSettings settings = tokenizer::read_folder_settings(folder, *pipeline);
  std::shared_ptr<Tokenizer> result(new Tokenizer(std::move(pipeline), xxh3(text)));
  result->bos_id_ = settings.bos_id;
  result->eos_id_ = settings.eos_id;
  result->pad_id_ = settings.pad_id;
  const std::vector<int32_t> around = result->encode("");
  const auto compare = [&](std::optional<bool> wanted, std::optional<int32_t> id, const char* key) {
    if (!wanted || !id) return;
    const bool present = std::find(around.begin(), around.end(), *id) != around.end();
    if (present != *wanted) {
      log::warning(
          "{}: \"{}\" is {}, but the post_processor of tokenizer.json {} token {} to a text; that one counts",
          (folder / "tokenizer_config.json").string(), key, *wanted, present ? "adds" : "doesn't add", *id);
    }
  };
  compare(settings.add_bos, settings.bos_id, "add_bos_token");
  compare(settings.add_eos, settings.eos_id, "add_eos_token");
  return result;
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  std::optional<EncodeScratch> scratch;
  {
    const std::lock_guard lock(pool_->mutex);
    if (!pool_->free.empty()) {
      scratch = std::move(pool_->free.back());
      pool_->free.pop_back();
    }
  }
  if (!scratch) scratch.emplace(*this);
  std::vector<int32_t> ids;
  encode(text, add_special_tokens, ids, *scratch);
  const std::lock_guard lock(pool_->mutex);
  pool_->free.push_back(*std::move(scratch));
  return ids;
}

void Tokenizer::encode(std::string_view text, bool add_special_tokens, std::vector<int32_t>& ids,
                       EncodeScratch& scratch) const {
  std::string mended;
  if (!tokenizer::valid_utf8(text)) {
    mended = tokenizer::replace_invalid_utf8(text);
    text = mended;
  }
  const tokenizer::Pipeline& pipeline = *pipeline_;
  EncodeScratch::Buffers& own = *scratch.buffers_;
  const size_t begin = ids.size();

  // The text between added tokens. `starts_input`: nothing of the input stands before it.
  const auto encode_stretch = [&](std::string_view stretch, bool starts_input) {
    own.pieces.reset(stretch, starts_input);
    for (const auto& pre_tokenizer : pipeline.pre_tokenizers) pre_tokenizer->apply(own.pieces);
    pipeline.model->encode(own.pieces, *own.model, ids);
  };
  const auto normalize = [&](std::string_view stretch, bool starts_input) {
    own.normalized.keeps_start = true;
    if (pipeline.normalizer && !pipeline.normalizer->leaves_alone(stretch)) {
      own.normalized.text.assign(stretch);
      pipeline.normalizer->normalize(own.normalized);
      stretch = own.normalized.text;
    }
    starts_input &= own.normalized.keeps_start;
    if (pipeline.added_normalized.empty()) return encode_stretch(stretch, starts_input);
    pipeline.added_normalized.split(stretch, own.parts);
    for (const auto& part : own.parts) {
      if (part.id >= 0) {
        ids.push_back(part.id);
      } else {
        encode_stretch(stretch.substr(part.span.begin, part.span.end - part.span.begin),
                       starts_input && part.span.begin == 0);
      }
    }
  };
  if (pipeline.added_as_is.empty()) {
    normalize(text, true);
  } else {
    pipeline.added_as_is.split(text, own.as_is);
    for (const auto& part : own.as_is) {
      if (part.id >= 0) {
        ids.push_back(part.id);
      } else {
        normalize(text.substr(part.span.begin, part.span.end - part.span.begin), part.span.begin == 0);
      }
    }
  }
  for (const auto& post_processor : pipeline.post_processors)
    post_processor->process(ids, begin, add_special_tokens);
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool skip_special_tokens) const {
  tokenizer::TextSink sink;
  tokenizer::DecoderFeed feed(*pipeline_, skip_special_tokens, sink);
  for (const int32_t id : ids) feed.push(id);
  feed.finish();
  return std::move(sink.text);
}

int64_t Tokenizer::vocab_size() const {
  return static_cast<int64_t>(pipeline_->max_id()) + 1;
}

std::optional<int32_t> Tokenizer::token_to_id(std::string_view token) const {
  return pipeline_->token_to_id(token);
}

std::string Tokenizer::id_to_token(int32_t id) const {
  const auto token = pipeline_->id_to_token(id);
  if (!token) {
    throw UserError(
        "the tokenizer has no token with id {}: its ids go from 0 to {}. Was the data made with another "
        "tokenizer?",
        id, vocab_size() - 1);
  }
  return std::string(*token);
}

}  // namespace longhaul
