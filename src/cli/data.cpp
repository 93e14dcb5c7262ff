// llm-pretrain data preview: what a run will read, before it reads it.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "cli/data_commands.h"
#include "longhaul/core/error.h"
#include "longhaul/core/json_text.h"
#include "longhaul/core/table.h"
#include "longhaul/data/sampler.h"
#include "longhaul/data/tokenizer/tokenizer.h"
#include "longhaul/recipes/batch_schedule.h"
#include "longhaul/recipes/load.h"
#include "train/model_source.h"
#include "train/run_data.h"

namespace longhaul::cli {
namespace {

struct Options {
  std::string recipe;
  std::vector<std::string> overrides;
  int64_t batches = 1, first_step = 1, characters = 200;
  int64_t ranks = 0;  // of the run; 0: not told
};

// "data/a: document 3 from token 12 (20 tokens), document 7 (13 tokens)".
std::string source_text(const std::vector<SamplePart>& parts) {
  constexpr size_t kMost = 4;
  if (parts.empty()) return "made up";
  std::string text = parts.front().corpus + ":";
  for (size_t i = 0; i < std::min(parts.size(), kMost); ++i) {
    text += fmt::format("{} document {}{} ({} tokens)", i == 0 ? "" : ",", parts[i].document,
                        parts[i].begin > 0 ? fmt::format(" from token {}", parts[i].begin) : "", parts[i].count);
  }
  if (parts.size() > kMost) text += fmt::format(" and {} more", parts.size() - kMost);
  return text;
}

// In quotes, on one line, cut after `characters` characters (0: whole).
std::string shown(const std::string& text, int64_t characters) {
  size_t end = 0;
  for (int64_t seen = 0; end < text.size(); ++end) {
    const bool starts = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
    if (starts && characters > 0 && seen++ == characters) break;
  }
  const std::string quoted = lenient_json_text(nlohmann::json(text.substr(0, end)));
  return quoted + (end < text.size() ? " …" : "");
}

// Ids where there is no tokenizer.
std::string text_of(const Sample& sample, const Tokenizer* tokenizer) {
  const std::vector<int32_t> ids(sample.tokens.begin(), sample.tokens.begin() + sample.valid);
  return tokenizer != nullptr ? tokenizer->decode(ids) : fmt::format("{}", fmt::join(ids, " "));
}

// How the run goes through the samples. A sequential sampler reads the same ones in a step whatever the ranks.
SamplerOptions sampler_of_run(const Recipe& recipe, int64_t ranks) {
  if (ranks > 0) require_layout(recipe, ranks);
  if (ranks == 0 && recipe.data.sampler == SamplerKind::cyclic) {
    throw UserError(
        "data.sampler=cyclic deals out the samples by the number of data-parallel ranks: say how many ranks the run has, "
        "with --ranks N");
  }
  return sampler_options(recipe, std::max<int64_t>(ranks / recipe.parallel.model_ranks(), 1));
}

void preview(const Options& options) {
  const Recipe wanted = load_recipe(options.recipe, options.overrides);
  const ModelSource source(wanted, options.ranks);
  const Recipe& recipe = source.recipe();
  const RunData data = open_run_data(source, {});
  const auto tokenizer = source.tokenizer();
  const BatchSchedule schedule(recipe.batch, recipe.data.sequence_length);
  const int64_t begin = schedule.samples_of_steps(0, options.first_step - 1);
  const SamplerOptions layout = sampler_of_run(recipe, options.ranks);
  Sampler sampler(layout, data.train->size());
  const int64_t wanted_end = begin + schedule.samples_of_steps(begin, options.batches);
  const int64_t end = std::min(wanted_end, sampler.end().value_or(wanted_end));
  if (begin >= end) {
    throw UserError("--first-step {} lies behind the data: its {} samples are enough for {} steps", options.first_step,
                    data.train->size(), schedule.steps_of_samples(data.train->size()));
  }
  std::map<std::string, int64_t> counts;
  Sample sample;
  const auto print_sample = [&](int64_t number) {
    const std::vector<SamplePart> parts = data.train->parts(number);
    data.train->get(number, sample);
    fmt::print("  sample {}  {}\n    {}\n", number, source_text(parts),
               shown(text_of(sample, tokenizer.get()), options.characters));
    ++counts[parts.empty() ? "made up" : parts.front().corpus];
  };
  std::vector<int64_t> numbers;
  int64_t step = options.first_step, next_step = begin;  // and where it begins
  for (int64_t consumed = begin; consumed < end; consumed += sampler.stride()) {
    if (consumed == next_step) {
      fmt::print("{}step {}\n", consumed == begin ? "" : "\n", step++);
      next_step += schedule.global_at(consumed);
    }
    for (int64_t rank = 0; rank < layout.ranks; ++rank) {
      if (layout.ranks > 1) fmt::print(" data-parallel rank {}\n", rank);
      sampler.read_at(consumed, rank, numbers);
      for (const int64_t number : numbers) print_sample(number);
    }
  }
  TextTable table({"corpus", "samples", "share"});
  table.align(1, TextTable::Align::right).align(2, TextTable::Align::right);
  for (const auto& [corpus, count] : counts) {
    table.add({corpus, group_digits(count),
               fmt::format("{:.1f} %", 100.0 * static_cast<double>(count) / static_cast<double>(end - begin))});
  }
  fmt::print("\n{}", table.str());
}

void add_preview(const Command& parent) {
  auto options = std::make_shared<Options>();
  const Command command = parent.subcommand("preview", "Print the first batches of a run as text, with their sources");
  command.option("RECIPE", options->recipe, "a recipe's name or a .json file").required();
  command.option("OVERRIDES", options->overrides, "KEY=VALUE: settings that differ from the recipe's");
  command.option("--batches", options->batches, "global batches to print")
      .between(int64_t{1}, int64_t{1'000'000'000})
      .show_default();
  command.option("--first-step", options->first_step, "the step whose batch is printed first")
      .between(int64_t{1}, int64_t{1'000'000'000})
      .show_default();
  command
      .option("--ranks", options->ranks,
              "ranks of the run, whose samples are then told apart; data.sampler=cyclic needs it")
      .between(int64_t{1}, int64_t{1'000'000'000});
  command.option("--characters", options->characters, "of each sample; 0: all").not_negative().show_default();
  command.examples(
      "Examples:\n"
      "  llm-pretrain data preview mine.json model.from=HF_DIR\n"
      "  llm-pretrain data preview llama_tiny model.from=HF_DIR data.train=\"0.3 data/a 0.7 data/b\" --batches 4\n"
      "  llm-pretrain data preview mine.json model.from=HF_DIR data.sampler=cyclic --ranks 8\n"
      "Documents count from 0, and so do tokens in them. Without a tokenizer (model.from, data.tokenizer) ids are printed.");
  command.run([options] { preview(*options); });
}

}  // namespace

void add_data_command(const Command& app) {
  const Command command =
      app.subcommand("data", "Look at the training data of a recipe, build its order, merge prepared data");
  command.needs_subcommand();
  command.examples("Example:\n  llm-pretrain data preview mine.json model.from=HF_DIR");
  add_preview(command);
  add_index(command);
  add_masked(command);
  add_merge(command);
}

}  // namespace longhaul::cli
