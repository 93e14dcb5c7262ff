// A Hugging Face folder: shape, weights, tokenizer, and whatever is odd about them.
#include "longhaul/checkpoint/hf_folder.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "cli/inspect/byte_progress.h"
#include "cli/inspect/inspect.h"
#include "cli/inspect/model_table.h"
#include "longhaul/checkpoint/safetensors_dtype.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
#include "longhaul/data/tokenizer/tokenizer.h"
#include "longhaul/model/family.h"

namespace longhaul::cli {
namespace {

namespace fs = std::filesystem;

struct File {
  int64_t tensors = 0, elements = 0, bytes = 0;
  std::map<std::string, int64_t> dtypes;  // bytes of each
};

int64_t elements_of(const SafetensorsReader::Entry& entry) {
  return static_cast<int64_t>(entry.bytes.size() / c10::elementSize(entry.dtype));
}

std::string file_table(const HfFolder& folder) {
  std::map<std::string, File> files;
  for (const std::string& key : folder.keys()) {
    const auto& entry = folder.entry(key);
    File& file = files[folder.file_of(key).filename().string()];
    ++file.tensors;
    file.elements += elements_of(entry);
    file.bytes += static_cast<int64_t>(entry.bytes.size());
    file.dtypes[std::string(safetensors_name(entry.dtype))] += static_cast<int64_t>(entry.bytes.size());
  }
  TextTable table({"file", "tensors", "elements", "dtype", "size"});
  for (const size_t column : {1, 2, 4}) table.align(column, TextTable::Align::right);
  for (const auto& [name, file] : files) {
    std::string dtypes;
    for (const auto& [dtype, bytes] : file.dtypes) dtypes += (dtypes.empty() ? "" : ", ") + dtype;
    table.add({name, group_digits(file.tensors), group_digits(file.elements), dtypes,
               format_bytes(static_cast<double>(file.bytes))});
  }
  return table.str();
}

std::string tensor_table(const HfFolder& folder) {
  TextTable table({"tensor", "dtype", "shape", "file"});
  for (const std::string& key : folder.keys()) {
    const auto& entry = folder.entry(key);
    table.add({key, std::string(safetensors_name(entry.dtype)), shape_text(entry.shape),
               folder.file_of(key).filename().string()});
  }
  return table.str();
}

// The embedding's key in this folder; "" when the folder lacks it.
std::string embedding_key(const HfFolder& folder, const ModelFamily& family, const ModelConfig& model) {
  const HfMapping mapping = family.mapping(model);
  for (const HfMappingRow& row : mapping.rows) {
    if (row.parameter != "embedding.word_embeddings.weight") continue;
    std::string key = row.hf_keys[0];
    if (!folder.contains(key) && key.starts_with(mapping.optional_prefix)) key.erase(0, mapping.optional_prefix.size());
    return folder.contains(key) ? key : "";
  }
  return "";
}

std::vector<std::string> odd_values(const HfFolder& folder, const std::string& embedding) {
  std::vector<std::string> odd;
  double total = 0;
  for (const std::string& key : folder.keys()) total += static_cast<double>(folder.entry(key).bytes.size());
  ByteProgress bar("reading weights", total);
  for (const std::string& key : folder.keys()) {
    const at::Tensor tensor = folder.tensor(key);
    if (at::isFloatingType(tensor.scalar_type())) {
      const int64_t bad = tensor.numel() - at::isfinite(tensor).sum().item<int64_t>();
      if (bad > 0) odd.push_back(fmt::format("{} holds {} values that are NaN or infinite", key, group_digits(bad)));
    }
    if (key == embedding && tensor.dim() == 2) {
      const int64_t zeros = tensor.eq(0).all(1).sum().item<int64_t>();
      if (zeros > 0) {
        odd.push_back(fmt::format("{} of {} rows of the token embedding are zero: tokens that were never trained",
                                  group_digits(zeros), group_digits(tensor.size(0))));
      }
    }
    bar.add(static_cast<double>(folder.entry(key).bytes.size()));
  }
  bar.finish();
  return odd;
}

// Describes the tokenizer in `table`; returns what is odd about it.
std::vector<std::string> add_tokenizer(TextTable& table, const fs::path& folder, const ModelConfig& model) {
  if (!fs::exists(folder / "tokenizer.json")) {
    table.add({"tokenizer", "none: text can't be turned into tokens"});
    return {};
  }
  const int64_t tokens = Tokenizer::from_folder(folder)->vocab_size();
  table.add({"tokenizer", fmt::format("{}, {} tokens", tokenizer_kind(folder), group_digits(tokens))});
  if (tokens > model.vocab_size) {
    return {fmt::format("the tokenizer has {} tokens, the model only {}: they don't belong together",
                        group_digits(tokens), group_digits(model.vocab_size))};
  }
  if (tokens < model.vocab_size) {
    return {fmt::format("{} rows of the token embedding belong to no token", group_digits(model.vocab_size - tokens))};
  }
  return {};
}

}  // namespace

void inspect_hf_folder(const fs::path& path, const InspectOptions& options) {
  const HfFolder folder(path);
  const ModelFamily& family = family_of_hf_config(folder.config());
  const ModelConfig model = family.read_config(folder.config()).resolved();
  TextTable table;
  add_model_lines(table, model);
  table.add({"weights", std::string(safetensors_name(folder.dtype()))});
  std::vector<std::string> odd = add_tokenizer(table, path, model);
  fmt::print("Hugging Face folder {}\n\n{}\n{}", path.string(), table.str(), file_table(folder));
  if (options.tensors) fmt::print("\n{}", tensor_table(folder));
  std::fflush(stdout);
  if (options.read_bytes) {
    for (auto& line : odd_values(folder, embedding_key(folder, family, model))) odd.push_back(std::move(line));
  }
  if (!odd.empty()) fmt::print("\n");
  for (const std::string& line : odd) fmt::print("odd: {}\n", line);
}

}  // namespace longhaul::cli
