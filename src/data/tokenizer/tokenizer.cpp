#include "longhaul/data/tokenizer/tokenizer.h"

#include <algorithm>
#include <mutex>

#include "data/tokenizer/encode_offsets.h"
#include "data/tokenizer/encode_run.h"
#include "data/tokenizer/pipeline.h"
#include "data/tokenizer/tokenizer_folder.h"
#include "data/tokenizer/tokenizer_json.h"
#include "data/tokenizer/unicode.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/hash.h"
#include "longhaul/core/log.h"

namespace longhaul {

struct EncodeScratch::Buffers : tokenizer::EncodeBuffers {
  using EncodeBuffers::EncodeBuffers;
};

namespace {

struct IdSink {
  static constexpr bool kTracks = false;
  void added(int32_t id, tokenizer::Span) { ids.push_back(id); }
  void pieces(const tokenizer::Pieces& pieces, tokenizer::ModelScratch& scratch) { model.encode(pieces, scratch, ids); }
  const tokenizer::Model& model;
  std::vector<int32_t>& ids;
};

}  // namespace

EncodeScratch::EncodeScratch(const Tokenizer& tokenizer) : buffers_(std::make_unique<Buffers>(*tokenizer.pipeline_)) {}
EncodeScratch::~EncodeScratch() = default;
EncodeScratch::EncodeScratch(EncodeScratch&&) noexcept = default;
EncodeScratch& EncodeScratch::operator=(EncodeScratch&&) noexcept = default;

// Scratches for callers who bring none: as many as ever encoded at the same time.
struct Tokenizer::ScratchPool {
  std::mutex mutex;
  std::vector<EncodeScratch> free;

  template <typename Use>
  auto lend(const Tokenizer& tokenizer, Use&& use) {
    std::optional<EncodeScratch> scratch;
    {
      const std::lock_guard lock(mutex);
      if (!free.empty()) {
        scratch = std::move(free.back());
        free.pop_back();
      }
    }
    if (!scratch) scratch.emplace(tokenizer);
    auto result = use(*scratch);
    const std::lock_guard lock(mutex);
    free.push_back(*std::move(scratch));
    return result;
  }
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
  auto [pipeline, settings] = tokenizer::read_folder_tokenizer(folder, text, file);
  std::shared_ptr<Tokenizer> result(new Tokenizer(std::move(pipeline), xxh3(text)));
  result->bos_id_ = settings.bos_id;
  result->eos_id_ = settings.eos_id;
  result->pad_id_ = settings.pad_id;
  const std::vector<int32_t> around = result->encode("");
  const auto compare = [&](std::optional<bool> wanted, std::optional<int32_t> id, const char* key) {
    if (!wanted || !id) return;
    const bool present = std::find(around.begin(), around.end(), *id) != around.end();
    if (present != *wanted) {
      log::warning("{}: \"{}\" is {}, but the post_processor of tokenizer.json {} token {} to a text; that counts",
                   (folder / "tokenizer_config.json").string(), key, *wanted, present ? "adds" : "doesn't add", *id);
    }
  };
  compare(settings.add_bos, settings.bos_id, "add_bos_token");
  compare(settings.add_eos, settings.eos_id, "add_eos_token");
  return result;
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, bool add_special_tokens) const {
  return pool_->lend(*this, [&](EncodeScratch& scratch) {
    std::vector<int32_t> ids;
    encode(text, add_special_tokens, ids, scratch);
    return ids;
  });
}

void Tokenizer::encode(std::string_view text, bool add_special_tokens, std::vector<int32_t>& ids,
                       EncodeScratch& scratch) const {
  std::string mended;
  if (!tokenizer::valid_utf8(text)) {
    mended = tokenizer::replace_invalid_utf8(text);
    text = mended;
  }
  const size_t begin = ids.size();
  IdSink sink{*pipeline_->model, ids};
  scratch.buffers_->normalized.origins.reset();
  tokenizer::EncodeRun(*pipeline_, *scratch.buffers_, sink).run(text);
  for (const auto& post_processor : pipeline_->post_processors) post_processor->process(ids, begin, add_special_tokens);
}

std::vector<TokenPlace> Tokenizer::encode_with_offsets(std::string_view text, bool add_special_tokens) const {
  return pool_->lend(*this, [&](EncodeScratch& scratch) {
    return tokenizer::encode_with_offsets(*pipeline_, *scratch.buffers_, text, add_special_tokens);
  });
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

bool Tokenizer::has_token(int32_t id) const {
  return pipeline_->id_to_token(id).has_value();
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
