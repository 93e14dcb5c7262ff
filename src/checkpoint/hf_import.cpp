#include "longhaul/checkpoint/hf_import.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <unordered_map>
#include <utility>

#include "checkpoint/hf_plan.h"
#include "longhaul/checkpoint/safetensors_dtype.h"
#include "longhaul/core/error.h"
#include "longhaul/core/log.h"

namespace longhaul {
namespace {

constexpr size_t kListedProblems = 12;
constexpr auto kEmbedding = "embedding.word_embeddings.weight";

// Whether a folder's tensors are those that the model wants.
class Check {
 public:
  Check(const HfFolder& folder, const ModelFamily& family, const ModelConfig& model)
      : folder_(folder), plan_(make_hf_plan(family, model)) {
    strip_prefix_ = !plan_.optional_prefix.empty() &&
                    std::none_of(folder.keys().begin(), folder.keys().end(),
                                 [&](const std::string& key) { return key.starts_with(plan_.optional_prefix); });
    for (auto& row : plan_.rows) {
      for (auto& key : row.keys) key = name_in_file(key);
    }
  }

  // With keys as the folder has them.
  HfPlan plan() const { return plan_; }

  // Throws one error for everything that doesn't fit.
  void run() const {
    std::vector<std::string> problems;
    std::set<std::string> wanted;
    for (const auto& row : plan_.rows) {
      for (size_t i = 0; i < row.keys.size(); ++i) {
        wanted.insert(row.keys[i]);
        check_tensor(row, i, problems);
      }
    }
    for (const auto& key : plan_.ignored) wanted.insert(name_in_file(key));
    check_tied_head(wanted, problems);
    for (const auto& key : folder_.keys()) {
      if (wanted.contains(key)) continue;
      const auto& entry = folder_.entry(key);
      problems.push_back(fmt::format("'{}' {} in {}: the model has no place for it", key,
                                     describe(entry.dtype, entry.shape), folder_.file_of(key).filename().string()));
    }
    if (problems.empty()) return;
    const size_t count = problems.size();
    if (count > kListedProblems) {
      problems.resize(kListedProblems);
      problems.push_back(fmt::format("and {} more", count - kListedProblems));
    }
    throw UserError(
        "{}: its tensors are not those that its config.json describes; fetch both again, or correct "
        "config.json:\n  {}",
        folder_.path().string(), fmt::join(problems, "\n  "));
  }

 private:
  static std::string describe(at::ScalarType dtype, const std::vector<int64_t>& shape) {
    return fmt::format("{} [{}]", safetensors_name(dtype), fmt::join(shape, ", "));
  }

  std::string name_in_file(const std::string& key) const {
    return strip_prefix_ && key.starts_with(plan_.optional_prefix) ? key.substr(plan_.optional_prefix.size()) : key;
  }

  void check_tensor(const HfPlanRow& row, size_t i, std::vector<std::string>& problems) const {
    const std::string& key = row.keys[i];
    if (!folder_.contains(key)) {
      const bool head = row.parameter == "output_layer.weight";
      problems.push_back(fmt::format("'{}' [{}] is missing{}", key, fmt::join(row.source_shapes[i], ", "),
                                     head ? " (config.json says that it is not tied to the embedding)" : ""));
      return;
    }
    const auto& entry = folder_.entry(key);
    const std::string file = folder_.file_of(key).filename().string();
    if (entry.shape != row.source_shapes[i]) {
      problems.push_back(fmt::format("'{}' {} in {}: config.json wants [{}]", key, describe(entry.dtype, entry.shape),
                                     file, fmt::join(row.source_shapes[i], ", ")));
    }
    const bool readable = entry.dtype == at::kFloat || entry.dtype == at::kBFloat16 || entry.dtype == at::kHalf ||
                          entry.dtype == at::kDouble;
    if (!readable) {
      problems.push_back(fmt::format("'{}' {} in {}: weights must be F32, BF16, F16 or F64", key,
                                     describe(entry.dtype, entry.shape), file));
    }
  }

  // A tied model's file may hold the head as well, if it is the same bytes.
  void check_tied_head(std::set<std::string>& wanted, std::vector<std::string>& problems) const {
    const std::string head_key = name_in_file(plan_.tied_head_key);
    if (head_key.empty() || !folder_.contains(head_key)) return;
    wanted.insert(head_key);
    const auto row = std::find_if(plan_.rows.begin(), plan_.rows.end(),
                                  [](const HfPlanRow& row) { return row.parameter == kEmbedding; });
    const std::string& embedding_key = row->keys[0];
    if (!folder_.contains(embedding_key)) return;
    const auto& head = folder_.entry(head_key);
    const auto& embedding = folder_.entry(embedding_key);
    if (head.dtype == embedding.dtype && head.shape == embedding.shape &&
        std::memcmp(head.bytes.data(), embedding.bytes.data(), head.bytes.size()) == 0) {
      return;
    }
    problems.push_back(
        fmt::format("'{}' differs from '{}', but config.json ties them (tie_word_embeddings): set it to "
                    "false to keep both",
                    head_key, embedding_key));
  }

  const HfFolder& folder_;
  HfPlan plan_;
  bool strip_prefix_ = false;
};

int64_t count_zero_rows(const at::Tensor& embedding) {  // [rows, hidden]
  constexpr int64_t kRows = 4096;                       // at a time, to keep the temporary small
  int64_t zeros = 0;
  for (int64_t begin = 0; begin < embedding.size(0); begin += kRows) {
    const at::Tensor rows = embedding.narrow(0, begin, std::min(kRows, embedding.size(0) - begin));
    zeros += rows.eq(0).all(1).sum().item<int64_t>();
  }
  return zeros;
}

}  // namespace

HfWeights::HfWeights(const HfFolder& folder, const ModelFamily& family, const ModelConfig& model) : folder_(folder) {
  const Check check(folder, family, model);
  check.run();
  plan_ = std::make_unique<const HfPlan>(check.plan());
}

HfWeights::~HfWeights() = default;

HfImportReport HfWeights::load(std::span<Parameter> parameters) const {
  std::unordered_map<std::string_view, const Parameter*> by_name;
  for (const auto& parameter : parameters) by_name.emplace(parameter.name, &parameter);
  const at::NoGradGuard no_grad;
  HfImportReport report;
  int64_t embedding_rows = 0;
  size_t filled = 0;
  for (const auto& row : plan_->rows) {
    const auto found = by_name.find(row.parameter);
    if (found == by_name.end()) continue;  // another pipeline stage's
    const Parameter& parameter = *found->second;
    LONGHAUL_CHECK(parameter.shard.global_shape == row.shape && !parameter.blocks.empty(),
                   "parameter {} is not of this model", row.parameter);
    ++filled;
    std::vector<at::Tensor> sources;
    for (const auto& key : row.keys) sources.push_back(folder_.tensor(key));
    if (parameter.shard.vocabulary) parameter.value.detach().zero_();  // its padding
    for_each_block(parameter, [&](const at::Tensor& value, const Block& block) {
      const at::Tensor part = row.transform->merge_block(sources, block);
      at::Tensor(value).copy_(part);
      report.bytes_read += part.numel() * static_cast<int64_t>(sources[0].element_size());
      if (row.parameter != kEmbedding) return;
      report.zero_embedding_rows += count_zero_rows(part);
      embedding_rows += block.length;
    });
  }
  LONGHAUL_CHECK(filled == parameters.size(), "{} of {} parameters are in the model's table", filled,
                 parameters.size());
  if (report.zero_embedding_rows > 0) {
    log::warning_here(
        "{}: of the token embedding's rows {} of the {} that are read here are zero throughout, so those tokens were "
        "never trained. Such a row's first gradients can be huge: use a trained token as the separator of documents",
        folder_.path().string(), report.zero_embedding_rows, embedding_rows);
  }
  return report;
}

}  // namespace longhaul
