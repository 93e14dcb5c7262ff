#include "cli/starter_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "longhaul/core/error.h"
#include "longhaul/core/json_text.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
#include "longhaul/data/blend.h"
#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/prepared_info.h"
#include "longhaul/data/split.h"
#include "longhaul/train/model_folder.h"
#include "longhaul/train/tokenizer_check.h"

namespace longhaul::cli {
namespace {

std::string quoted(const std::string& text) {
  return json_text(nlohmann::json(text));
}

// What of a recipe depends on the model and the data.
struct ContinuedRun {
  int64_t sequence_length = 0, global_batch = 0, steps = 0;
  std::string split, split_note, steps_note;
  bool evaluated = true;

  int64_t tokens_a_step() const { return global_batch * sequence_length; }
  int64_t eval_every() const { return evaluated ? std::clamp<int64_t>(steps / 10, 5, 500) : 0; }
  // Evaluations take a third of a training step's time a batch: together at most a tenth of it.
  int64_t eval_steps() const { return std::clamp<int64_t>(eval_every() * 3 / 10, 1, 16); }
  int64_t warmup_steps() const { return std::min(std::max<int64_t>(1, steps / 100), steps - 1); }
};

// A step of 32,768 tokens for a small model, of half a million for a large one, and at least of 8 sequences.
ContinuedRun run_for(const ModelConfig& model) {
  const bool large = model.parameter_count() >= 1'000'000'000;
  ContinuedRun run;
  run.sequence_length = std::min<int64_t>(large ? 2048 : 1024, model.max_positions);
  while (run.global_batch == 0 || run.tokens_a_step() * 2 <= (large ? 524'288 : 32'768)) {
    run.global_batch = std::max<int64_t>(8, run.global_batch * 2);
  }
  run.steps = 1000;
  run.steps_note = "tokens x epochs / (batch.global x data.sequence_length)";
  run.split = "98,2,0";
  run.split_note = "the last 2 % of the documents are held out, and evaluated";
  return run;
}

int64_t tokens_in(const IndexedDatasetReader& data, SequenceRange range) {
  int64_t tokens = 0;
  for (int64_t i = range.begin; i < range.end; ++i) tokens += data.length(i);
  return tokens;
}

// Holds out the least that makes some samples, or nothing where the data is too little or one document; a step becomes
// smaller where the data would make few of them.
void fit(ContinuedRun& run, const IndexedDatasetReader& data, int64_t epochs) {
  constexpr std::array<std::array<const char*, 2>, 4> kShares{
      {{"98,2,0", "2"}, {"95,5,0", "5"}, {"90,10,0", "10"}, {"80,20,0", "20"}}};
  constexpr int64_t kSamples = 4;
  const auto part = [&](Split split, const char* shares) {
    return tokens_in(data, selected_range(split, shares, data.sequences()));
  };
  const auto found = std::find_if(kShares.begin(), kShares.end(), [&](const auto& shares) {
    return part(Split::valid, shares[0]) > kSamples * run.sequence_length;
  });
  run.evaluated = found != kShares.end();
  run.split = run.evaluated ? (*found)[0] : "100,0,0";
  run.split_note =
      run.evaluated ? fmt::format("the last {} % of the documents are held out, and evaluated", (*found)[1])
                    : "too few documents to hold some out: prepare others, name them in data.valid, and leave this out";
  const int64_t tokens = part(Split::train, run.split.c_str());
  const double read = static_cast<double>(tokens) * static_cast<double>(epochs);
  const auto steps = [&] { return static_cast<int64_t>(read / static_cast<double>(run.tokens_a_step())); };
  while (steps() < 100 && run.global_batch > 8) run.global_batch /= 2;
  run.steps = steps();
  if (run.steps == 0) {
    throw UserError(
        "{} has {} tokens to train on, and a step of {} sequences of {} takes {}: prepare more text, or read it more often, "
        "with --epochs {}",
        data.prefix(), group_digits(tokens), run.global_batch, run.sequence_length, group_digits(run.tokens_a_step()),
        tokens > 0 ? fmt::format("{}", run.tokens_a_step() / tokens + 1) : "N");
  }
  run.steps_note = fmt::format("{} of {} tokens", epochs == 1 ? "one epoch" : fmt::format("{} epochs", epochs),
                               format_count(static_cast<double>(tokens)));
}

// The one corpus that --data names, made with the model's tokenizer.
IndexedDatasetReader open_corpus(const std::string& data, const ModelFolder& model, const std::string& folder) {
  const Blend blend = parse_blend(data, "data.train");
  if (blend.prefixes.size() != 1) {
    throw UserError(
        "--data {} names {} corpora: name one, whose size gives the steps, and write the others into data.train of the "
        "file, with their weights",
        data, blend.prefixes.size());
  }
  IndexedDatasetReader corpus(blend.prefixes[0]);
  if (const auto info = read_prepared_info(corpus.prefix())) {
    check_tokenizer({.vocab_size = model.config().vocab_size,
                     .side_car = model.side_car(),
                     .folder = folder,
                     .check_tokenizer = true,
                     .way_out = "leave --data out"},
                    corpus.prefix(), *info);
  }
  return corpus;
}

}  // namespace

std::string starter_file_text(const Recipe& r) {
  return fmt::format(
      R"(// A recipe: starts from "{0}"; what stands here differs from it. `llm-pretrain recipes show {0}` shows the rest,
// `llm-pretrain schema --text` all keys.
{{
  "base": "{0}",
  "data": {{
    "train": {1},  // prefix of .bin/.idx files, as `llm-pretrain prepare` makes them
    "mock": {2},  // made-up data instead
    // "tokenizer": "HF_DIR",  // the folder of the data's tokenizer, with "model": {{"vocab_size": 0}}: as many as it has
    "sequence_length": {3}
  }},
  "batch": {{
    "global": {4},  // sequences a step
    "micro": {5}  // sequences a forward pass: more need more memory
  }},
  "optimizer": {{
    "lr": {6},
    "min_lr": {7}
  }},
  "schedule": {{
    "warmup_steps": {8}  // fewer than max_steps
  }},
  "trainer": {{
    "max_steps": {9}
  }},
  "checkpoint": {{
    "every": {10}  // steps
  }}
}}
)",
      r.name, quoted(r.data.train), r.data.mock, r.data.sequence_length, r.batch.global, r.batch.micro, r.optimizer.lr,
      r.optimizer.min_lr, r.schedule.warmup_steps, r.trainer.max_steps, r.checkpoint.every);
}

std::string continued_file_text(const std::string& folder, const std::string& data, int64_t epochs) {
  const ModelFolder model(folder);
  ContinuedRun run = run_for(model.config());
  if (!data.empty()) fit(run, open_corpus(data, model, folder), epochs);
  return fmt::format(
      R"(// Continued pre-training. `llm-pretrain recipes show` lists what differs from the defaults, `llm-pretrain schema --text`
// all keys; docs/tutorial.md tells how to choose. Paths are relative to the folder in which llm-pretrain is started.
{{
  "model": {{
    "from": {0}  // {1} parameters; the shape comes from there
  }},
  "data": {{
    "train": {2},  // {14}
    "split": "{3}",  // {4}
    "sequence_length": {5}  // of at most {6}
  }},
  "batch": {{
    "global": {7},  // sequences a step
    "micro": 2  // sequences a forward pass: more need more memory
  }},
  "optimizer": {{
    "lr": 3e-5,  // a tenth of a usual peak; with the original peak at hand, 3 to 10 % of that
    "min_lr": 3e-6
  }},
  "schedule": {{
    "kind": "cosine",
    "warmup_steps": {8}
  }},
  "trainer": {{
    "max_steps": {9},  // {10}
    "eval_every": {11},  // steps; 0: never
    "eval_steps": {12}  // batches
  }},
  "checkpoint": {{
    "every": {13},  // steps
    "keep_last": 2
  }}
}}
)",
      quoted(folder), format_count(static_cast<double>(model.config().parameter_count())),
      quoted(data.empty() ? "data/mine_text_document" : data), run.split, run.split_note, run.sequence_length,
      model.config().max_positions, run.global_batch, run.warmup_steps(), run.steps, run.steps_note, run.eval_every(),
      run.eval_steps(), std::clamp<int64_t>(run.steps / 10, 50, 500),
      data.empty() ? "to fill in: prefix of .bin/.idx files, as `llm-pretrain prepare` makes them"
                   : "prefix of .bin/.idx files");
}

}  // namespace longhaul::cli
