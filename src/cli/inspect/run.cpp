// A run folder: its recipe, how far it came, its last metrics and loss curve, its checkpoints.
#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "cli/inspect/inspect.h"
#include "cli/inspect/model_table.h"
#include "cli/inspect/sparkline.h"
#include "longhaul/checkpoint/checkpoint_reader.h"
#include "longhaul/core/error.h"
#include "longhaul/core/json_text.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
#include "longhaul/recipes/load.h"

namespace longhaul::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t kCurveColumns = 60;

// The lines of metrics.jsonl; a last line that a kill cut short is passed over.
std::vector<json> read_metrics(const fs::path& file) {
  std::vector<json> out;
  std::ifstream in(file);
  std::string line;
  int64_t number = 0, bad = 0;
  while (std::getline(in, line)) {
    ++number;
    json object = json_or_null(line);
    if (bad > 0) throw UserError("{}, line {}: not a JSON object; the file is damaged", file.string(), bad);
    if (object.is_object()) {
      out.push_back(std::move(object));
    } else {
      bad = number;
    }
  }
  return out;
}

double number(const json& metrics, const char* key) {
  const auto found = metrics.find(key);
  return found != metrics.end() && found->is_number() ? found->get<double>() : 0.0;
}

void add_metrics(TextTable& table, const std::vector<json>& metrics, int64_t max_steps) {
  if (metrics.empty()) {
    table.add({"progress", "no step yet"});
    return;
  }
  const json& last = metrics.back();
  const auto step = static_cast<int64_t>(number(last, "step"));
  table.add(
      {"progress", fmt::format("step {} of {} ({:.0f} %), {} tokens", group_digits(step), group_digits(max_steps),
                               100.0 * static_cast<double>(step) / static_cast<double>(std::max<int64_t>(max_steps, 1)),
                               group_digits(static_cast<int64_t>(number(last, "consumed_tokens"))))});
  table.add({"last step", fmt::format("loss {:.4f}, gradient norm {:.3f}, learning rate {:.3g}", number(last, "loss"),
                                      number(last, "grad_norm"), number(last, "learning_rate"))});
  table.add(
      {"speed",
       fmt::format("{} tokens/s, {} FLOP/s, peak memory {}", format_count(number(last, "tokens_per_second")),
                   format_count(number(last, "model_flops_per_second")), format_bytes(number(last, "memory_bytes")))});
}

void add_curve(TextTable& table, const std::vector<json>& metrics, const char* key, const char* label) {
  std::vector<double> values;
  for (const json& line : metrics) {
    if (line.contains(key)) values.push_back(number(line, key));
  }
  if (values.empty()) return;
  table.add({label, fmt::format("{:.4f} {} {:.4f}", values.front(), sparkline(values, kCurveColumns), values.back())});
}

int64_t folder_bytes(const fs::path& folder) {
  int64_t bytes = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += static_cast<int64_t>(entry.file_size());
  }
  return bytes;
}

// What its manifest says is there, or not; its bytes are not checked.
bool complete(const fs::path& checkpoint) {
  try {
    const CheckpointReader reader(checkpoint);
    return true;
  } catch (const UserError&) {
    return false;
  }
}

std::string checkpoint_table(const fs::path& folder) {
  const auto places = list_checkpoints(folder);
  if (places.empty()) return "no checkpoint yet\n";
  std::string latest;
  std::ifstream(folder / "checkpoints" / "latest") >> latest;
  TextTable table({"checkpoint", "step", "size", ""});
  for (const size_t column : {1, 2}) table.align(column, TextTable::Align::right);
  for (const auto& place : places) {
    const std::string name = place.path.filename().string();
    table.add({place.path.string(), group_digits(place.step),
               format_bytes(static_cast<double>(folder_bytes(place.path))),
               fmt::format("{}{}", name == latest ? "latest" : "",
                           complete(place.path) ? "" : " damaged: a run does not go on from it")});
  }
  return table.str();
}

}  // namespace

void inspect_run(const fs::path& folder) {
  const auto metrics = read_metrics(folder / "metrics.jsonl");
  TextTable table;
  int64_t max_steps = 0;
  if (fs::exists(folder / "config.json")) {
    const Recipe recipe = load_recipe((folder / "config.json").string());
    max_steps = recipe.trainer.max_steps;
    table.add(
        {"recipe", recipe.description.empty() ? recipe.name : fmt::format("{}: {}", recipe.name, recipe.description)});
    if (!recipe.model.from.empty()) table.add({"continues from", recipe.model.from});
    add_model_lines(table, recipe.model.resolved());
    table.add({"data", recipe.data.mock ? std::string("made up (data.mock)") : recipe.data.train});
    table.add(
        {"batch", fmt::format("{} sequences of {} tokens a step", recipe.batch.global, recipe.data.sequence_length)});
  }
  add_metrics(table, metrics, max_steps);
  add_curve(table, metrics, "loss", "loss");
  add_curve(table, metrics, "valid_loss", "validation loss");
  fmt::print("run {}\n\n{}\n{}", folder.string(), table.str(), checkpoint_table(folder));
}

}  // namespace longhaul::cli
