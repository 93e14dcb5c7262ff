#include "cli/starter_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "longhaul/core/error.h"
#include "longhaul/core/json_text.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
#include "longhaul/data/blend.h"
#include "longhaul/data/indexed_dataset.h"

namespace longhaul::cli {
namespace {

constexpr double kTrainShare = 0.98;  // of the data; the rest is held out

std::string quoted(const std::string& text) {
  return lenient_json_text(nlohmann::json(text));
}

int64_t tokens_of(const std::string& data) {
  const Blend blend = parse_blend(data, "--data");
  int64_t tokens = 0;
  for (const std::string& prefix : blend.prefixes) tokens += IndexedDatasetReader(prefix).tokens();
  return tokens;
}

struct Amount {
  int64_t sequence_length = 0, global_batch = 0, steps = 0;
  std::string steps_note;
};

// A step of some 32,000 tokens for a small model, of half a million for a large one; fewer where the data would make
// few steps of them.
Amount amount_for(const ModelConfig& model, const std::string& data, int64_t epochs) {
  const bool large = model.parameter_count() >= 1'000'000'000;
  Amount amount{.sequence_length = std::min<int64_t>(large ? 2048 : 1024, model.max_positions),
                .global_batch = large ? 256 : 32,
                .steps = 1000,
                .steps_note = "tokens x epochs / (batch.global x data.sequence_length)"};
  if (data.empty()) return amount;
  const int64_t tokens = tokens_of(data);
  const double read = static_cast<double>(tokens) * kTrainShare * static_cast<double>(epochs);
  const auto steps = [&] {
    return static_cast<int64_t>(read / static_cast<double>(amount.global_batch * amount.sequence_length));
  };
  while (steps() < 100 && amount.global_batch > 8) amount.global_batch /= 2;
  amount.steps = steps();
  if (amount.steps == 0) {
    throw UserError(
        "{} has {} tokens, less than one step of {} sequences of {}: prepare more text, or write the recipe by hand",
        data, group_digits(tokens), amount.global_batch, amount.sequence_length);
  }
  amount.steps_note =
      fmt::format("{} of the data's {} tokens", epochs == 1 ? "one epoch" : fmt::format("{} epochs", epochs),
                  format_count(static_cast<double>(tokens)));
  return amount;
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
  "trainer": {{
    "max_steps": {8}
  }},
  "checkpoint": {{
    "every": {9}  // steps
  }}
}}
)",
      r.name, quoted(r.data.train), r.data.mock, r.data.sequence_length, r.batch.global, r.batch.micro, r.optimizer.lr,
      r.optimizer.min_lr, r.trainer.max_steps, r.checkpoint.every);
}

std::string continued_file_text(const ModelFolder& model, const std::string& data, int64_t epochs) {
  const Amount amount = amount_for(model.config(), data, epochs);
  const int64_t often = std::clamp<int64_t>(amount.steps / 10, 1, 500);  // evaluation takes about a tenth of the time
  return fmt::format(
      R"(// Continued pre-training. `llm-pretrain recipes show` lists what differs from the defaults, `llm-pretrain schema --text`
// all keys; docs/tutorial.md tells how to choose. Paths are relative to the folder in which llm-pretrain is started.
{{
  "model": {{
    "from": {0}  // {1} parameters; the shape comes from there
  }},
  "data": {{
    "train": {2},  // prefix of .bin/.idx files, as `llm-pretrain prepare` makes them
    "split": "98,2,0",  // the last 2 % of the documents are held out, and evaluated
    "sequence_length": {3}  // of at most {4}
  }},
  "batch": {{
    "global": {5},  // sequences a step
    "micro": {6}  // sequences a forward pass: more need more memory
  }},
  "optimizer": {{
    "lr": 3e-5,  // a tenth of a usual peak; with the original peak at hand, 3 to 10 % of that
    "min_lr": 3e-6
  }},
  "schedule": {{
    "kind": "cosine",
    "warmup_steps": {7}
  }},
  "trainer": {{
    "max_steps": {8},  // {9}
    "eval_every": {10},  // steps
    "eval_steps": {11}  // batches
  }},
  "checkpoint": {{
    "every": {10},  // steps
    "keep_last": 2
  }}
}}
)",
      quoted(model.path().string()), format_count(static_cast<double>(model.config().parameter_count())),
      quoted(data.empty() ? "data/mine_text_document" : data), amount.sequence_length, model.config().max_positions,
      amount.global_batch, std::min<int64_t>(2, amount.global_batch), std::max<int64_t>(1, amount.steps / 100),
      amount.steps, amount.steps_note, often, std::clamp<int64_t>(often / 4, 1, 16));
}

}  // namespace longhaul::cli
