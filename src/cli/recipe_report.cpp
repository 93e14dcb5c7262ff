#include "cli/recipe_report.h"

#include <fmt/format.h>

#include "longhaul/core/config/field_table.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
#include "longhaul/recipes/batch_schedule.h"
#include "longhaul/recipes/estimate.h"

namespace longhaul::cli {
namespace {

std::string size_lines(const Recipe& r) {
  const ModelConfig& m = r.model;
  const int64_t samples = BatchSchedule(r.batch, r.data.sequence_length).samples_of_steps(0, r.trainer.max_steps);
  const double tokens = static_cast<double>(samples) * static_cast<double>(r.data.sequence_length);
  const double flops = m.flops_per_token(r.data.sequence_length);
  TextTable table;
  table.add({"parameters", group_digits(m.parameter_count())});
  table.add({"FLOPs per token", fmt::format("{:.4g} GFLOP forward and backward (full square of scores: {:.4g})",
                                            flops / 1e9, m.flops_per_token(r.data.sequence_length, false) / 1e9)});
  table.add({"tokens per step", group_digits(r.batch.global * r.data.sequence_length)});
  table.add({"whole run", fmt::format("{} steps, {} tokens, {:.3g} FLOP", group_digits(r.trainer.max_steps),
                                      format_count(tokens), flops * tokens)});
  return table.str();
}

std::string memory_table(const Recipe& r, const ParallelConfig& layout) {
  TextTable table(
      {"recompute.mode", "weights", "gradients", "optimizer", "activations", "working", "total", "on the host"});
  for (size_t column = 1; column <= 7; ++column) table.align(column, TextTable::Align::right);
  for (const RecomputeMode mode : {RecomputeMode::none, RecomputeMode::selective, RecomputeMode::full}) {
    const MemoryEstimate e =
        estimate_memory(r, layout, {mode, r.recompute.layers, r.recompute.offload && mode == RecomputeMode::full});
    table.add({fmt::format("{}{}", name_of(mode), mode == r.recompute.mode ? " *" : ""), format_bytes(e.weights),
               format_bytes(e.gradients), format_bytes(e.optimizer), format_bytes(e.activations),
               format_bytes(e.working), format_bytes(e.total()), e.host > 0 ? format_bytes(e.host) : "-"});
  }
  return table.str();
}

std::string setting_lines(const Recipe& recipe) {
  const Recipe defaults;
  TextTable table({"key", "value", "default", "meaning"});
  for (const Field& section : fields<Recipe>().rows) {
    if (section.type != FieldType::section) continue;
    const void* values = section.member(&recipe);
    const auto add = [&](const FieldTable& fields_here, const void* config, const std::string& prefix,
                         const auto& self) -> void {
      for (const Field& field : fields_here.rows) {
        if (field.type == FieldType::section) {
          self(field.table(), field.member(config), prefix + field.name + ".", self);
        } else if (field.get(config) != field.get(fields_here.defaults)) {
          table.add({prefix + field.name, field.format(field.get(config)),
                     field.format(field.get(fields_here.defaults)), field.doc});
        }
      }
    };
    add(section.table(), values, section.name + ".", add);
  }
  return table.str();
}

}  // namespace

std::string recipe_report(const Recipe& recipe, const Recipe& r) {
  std::string out = fmt::format("{}: {}\n\n", r.name, r.description);
  if (!r.model.from.empty()) out += fmt::format("The model's shape is that of {}.\n", r.model.from);
  out += size_lines(r);
  out += fmt::format("\nMemory of one process, micro-batch {} ({}; * as the recipe says; estimate):\n{}", r.batch.micro,
                     name_of(r.trainer.precision), memory_table(r, {}));
  if (r.parallel.model_ranks() > 1) {
    out += fmt::format(
        "\nMemory of each of {} ranks (tensor {} x pipeline {} x context {}), before sharding (plan layout counts it):\n{}",
        r.parallel.model_ranks(), r.parallel.tensor, r.parallel.pipeline, r.parallel.context,
        memory_table(r, r.parallel));
  }
  return out + "\nSettings that differ from the defaults:\n" + setting_lines(recipe);
}

}  // namespace longhaul::cli
