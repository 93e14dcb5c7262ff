// A training checkpoint: where it stands, whose it is, its tensors by group, its checksums.
#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/inspect/byte_progress.h"
#include "cli/inspect/inspect.h"
#include "cli/inspect/model_table.h"
#include "longhaul/checkpoint/checkpoint_reader.h"
#include "longhaul/checkpoint/safetensors_dtype.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
#include "longhaul/recipes/recipe.h"
#include "train/run_checkpoints.h"

namespace longhaul::cli {
namespace {

struct Group {
  int64_t tensors = 0, elements = 0, bytes = 0;
  std::set<std::string> dtypes;
};

int64_t elements_of(const std::vector<int64_t>& shape) {
  int64_t elements = 1;
  for (const int64_t size : shape) elements *= size;
  return elements;
}

int64_t bytes_of(const CheckpointReader& reader, const std::string& name) {
  return elements_of(reader.shape(name)) * static_cast<int64_t>(c10::elementSize(reader.dtype(name)));
}

std::string group_table(const CheckpointReader& reader) {
  std::map<std::string, Group> groups;
  for (const std::string& name : reader.names()) {
    Group& group = groups[name.substr(0, name.find('/'))];
    ++group.tensors;
    group.elements += elements_of(reader.shape(name));
    group.bytes += bytes_of(reader, name);
    group.dtypes.emplace(safetensors_name(reader.dtype(name)));
  }
  TextTable table({"group", "tensors", "elements", "dtype", "size"});
  for (const size_t column : {1, 2, 4}) table.align(column, TextTable::Align::right);
  for (const auto& [name, g] : groups) {
    table.add({name, group_digits(g.tensors), group_digits(g.elements), fmt::format("{}", fmt::join(g.dtypes, ", ")),
               format_bytes(static_cast<double>(g.bytes))});
  }
  return table.str();
}

std::string tensor_table(const CheckpointReader& reader) {
  TextTable table({"tensor", "dtype", "shape"});
  for (const std::string& name : reader.names()) {
    table.add({name, std::string(safetensors_name(reader.dtype(name))), shape_text(reader.shape(name))});
  }
  return table.str();
}

std::string summary(const CheckpointReader& reader) {
  const Recipe recipe = recipe_of(reader);
  TextTable table;
  table.add({"step", group_digits(reader.step())});
  table.add({"consumed", fmt::format("{} tokens, {} sequences", group_digits(reader.consumed_tokens()),
                                     group_digits(reader.consumed_samples()))});
  table.add({"recipe", recipe.name});
  add_model_lines(table, recipe.model.resolved());
  if (reader.step() > 0) {
    table.add({"training", fmt::format("{} sequences of {} tokens a step, lr {:g}, {}, {}", recipe.batch.global,
                                       recipe.data.sequence_length, recipe.optimizer.lr, name_of(recipe.schedule.kind),
                                       name_of(recipe.trainer.precision))});
  }
  if (const auto& hf = reader.hf()) {
    std::vector<std::string> names;
    for (const auto& [name, bytes] : hf->files) names.push_back(name);
    table.add(
        {"carries along", names.empty() ? std::string("no tokenizer") : fmt::format("{}", fmt::join(names, ", "))});
  }
  return table.str();
}

// Reading a tensor checks its bytes.
void check_all(const CheckpointReader& reader) {
  double total = 0;
  for (const std::string& name : reader.names()) total += static_cast<double>(bytes_of(reader, name));
  ByteProgress bar("checking", total);
  for (const std::string& name : reader.names()) {
    reader.read(name);
    bar.add(static_cast<double>(bytes_of(reader, name)));
  }
  bar.finish();
}

}  // namespace

void inspect_checkpoint(const std::filesystem::path& folder, const InspectOptions& options) {
  const CheckpointReader reader(folder);
  fmt::print("checkpoint {}\n\n{}\n{}\n", folder.string(), summary(reader), group_table(reader));
  if (options.tensors) fmt::print("{}\n", tensor_table(reader));
  std::fflush(stdout);
  if (!options.read_bytes) return;
  check_all(reader);
  fmt::print("all {} checksums are right\n", group_digits(static_cast<int64_t>(reader.names().size())));
}

}  // namespace longhaul::cli
