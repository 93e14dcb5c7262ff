#include "train/model_source.h"

#include "longhaul/checkpoint/checkpoint_reader.h"
#include "longhaul/core/error.h"
#include "longhaul/core/log.h"
#include "longhaul/data/blend.h"
#include "longhaul/data/prepared_info.h"
#include "longhaul/data/tokenizer/tokenizer.h"
#include "longhaul/model/initialise.h"

namespace longhaul {
namespace {

// What a model from scratch takes from data.tokenizer: the files and special ids that belong into its exports.
HfSideCar side_car_of(const Tokenizer& tokenizer, const std::string& folder) {
  HfSideCar side_car{
      .config = nlohmann::json::object(), .dtype = at::kBFloat16, .files = read_hf_carried_files(folder)};
  const auto name = [&](const char* key, std::optional<int32_t> id) {
    if (id) side_car.config[key] = *id;
  };
  name("bos_token_id", tokenizer.bos_id());
  name("eos_token_id", tokenizer.eos_id());
  name("pad_token_id", tokenizer.pad_id());
  return side_car;
}

// The vocabulary of a model from scratch whose recipe leaves it open: the tokenizer's, or what the data was made with.
int64_t open_vocabulary(const Recipe& recipe, const Tokenizer* tokenizer) {
  if (tokenizer != nullptr) return tokenizer->vocab_size();
  for (const std::string& prefix : corpora(recipe.data)) {  // of made-up data there is none
    if (const auto info = read_prepared_info(prefix)) return info->vocab_size;
  }
  throw UserError(
      "model.vocab_size is 0, which means the tokenizer's, but there is none: set data.tokenizer to a folder with "
      "tokenizer.json, or model.vocab_size");
}

}  // namespace

std::filesystem::path checkpoint_instead_of_model(const Recipe& recipe) {
  const std::string& from = recipe.model.from;
  if (from.empty() || std::filesystem::is_directory(from)) return {};
  const auto latest = find_latest(run_folder(recipe));
  if (!latest) return {};  // whoever opens model.from says what is wrong
  log::warning("model.from {} {}: the run goes on with what its checkpoint {} holds of the model", from,
               std::filesystem::exists(from) ? "is no folder" : "is not there", latest->path().string());
  return latest->path();
}

ModelSource::ModelSource(const Recipe& recipe, int64_t ranks, const std::filesystem::path& instead) {
  Recipe wanted = recipe;
  if (!recipe.model.from.empty()) {
    folder_ = std::make_unique<const ModelFolder>(instead.empty() ? std::filesystem::path(recipe.model.from) : instead);
    std::vector<std::string> notes;
    wanted.model = continue_from(recipe.model, folder_->config(), &notes);
    if (!notes.empty()) log::info("with model.from, {}", fmt::join(notes, ", "));
    side_car_ = folder_->side_car();
  } else {
    if (const std::string& folder = recipe.data.tokenizer; !folder.empty()) {
      own_tokenizer_ = Tokenizer::from_folder(folder);
      side_car_ = side_car_of(*own_tokenizer_, folder);
    }
    int64_t& vocabulary = wanted.model.vocab_size;
    if (vocabulary == 0) vocabulary = open_vocabulary(recipe, own_tokenizer_.get());
    if (own_tokenizer_ && own_tokenizer_->vocab_size() > vocabulary) {
      throw UserError(
          "model.vocab_size {} is less than the {} tokens of data.tokenizer {}: set model.vocab_size=0 or {}",
          vocabulary, own_tokenizer_->vocab_size(), recipe.data.tokenizer, own_tokenizer_->vocab_size());
    }
  }
  validate_shape(wanted, ranks);
  require_data(wanted);
  recipe_ = resolved(wanted);
}

std::shared_ptr<const Tokenizer> ModelSource::tokenizer() const {
  if (!folder_) return own_tokenizer_;
  return folder_->has_tokenizer() ? folder_->tokenizer() : nullptr;
}

WeightReader ModelSource::weights() const {
  if (folder_) return folder_->weights();
  return [seed = static_cast<uint64_t>(recipe_.trainer.seed)](std::span<Parameter> parameters) {
    initialise_parameters(parameters, seed);
    return int64_t{0};
  };
}

}  // namespace longhaul
