// llm-pretrain generate: a model continues a prompt.
#include <fmt/core.h>

#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/model_options.h"
#include "longhaul/comm/rendezvous.h"
#include "longhaul/core/error.h"
#include "longhaul/core/log.h"
#include "longhaul/data/tokenizer/stream_decoder.h"
#include "longhaul/train/generate.h"
#include "longhaul/train/model_folder.h"

namespace longhaul::cli {
namespace {

struct Options {
  ModelOptions model;
  std::string prompt;
  GenerateOptions generate;
  bool ignore_eos = false, no_echo = false;
};

void print_now(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void generate(const Options& options) {
  comm::require_one_process("generate");
  const ModelFolder folder(options.model.folder);
  const auto tokenizer = folder.tokenizer();
  const auto model = load_model(folder, options.model);
  if (tokenizer->vocab_size() > folder.config().vocab_size) {
    throw UserError("the tokenizer of {} has {} tokens, but the model only {}: they don't belong together",
                    options.model.folder, tokenizer->vocab_size(), folder.config().vocab_size);
  }
  GenerateOptions generate_options = options.generate;
  if (!options.ignore_eos) generate_options.stop_ids = folder.stop_ids();

  std::vector<int32_t> prompt = tokenizer->encode(options.prompt);
  if (prompt.empty() && tokenizer->bos_id()) prompt = {*tokenizer->bos_id()};
  if (prompt.empty() && tokenizer->eos_id()) prompt = {*tokenizer->eos_id()};
  // Text is printed as soon as it is whole characters. With the prompt echoed, the decoder reads it too, because how a
  // first token reads can depend on what stands before it; alone, the new text is what decoding its ids gives.
  StreamDecoder decoder(tokenizer, /*skip_special_tokens=*/true);
  if (!options.no_echo) {
    print_now(options.prompt);
    for (const int32_t id : prompt) decoder.push(id);
  }
  if (options.generate.temperature == 0 && options.generate.top_p < 1) {
    log::warning("--top-p {} has no effect with --temperature 0, which takes the likeliest token",
                 options.generate.top_p);
  }
  const auto made =
      longhaul::generate(*model, prompt, generate_options, [&](int32_t id) { print_now(decoder.push(id)); });
  print_now(decoder.finish());
  if (!options.no_echo) print_now("\n");
  const int64_t positions = folder.config().max_positions, count = static_cast<int64_t>(made.size());
  if (count < options.generate.max_new_tokens && count + static_cast<int64_t>(prompt.size()) >= positions) {
    log::warning("the text ends after {} new tokens, because the model has no more than {} positions", count,
                 positions);
  }
}

}  // namespace

void add_generate_command(const Command& app) {
  auto options = std::make_shared<Options>();
  const Command command = app.subcommand("generate", "Let a model continue a text");
  add_model_options(command, options->model);
  command.option("--prompt", options->prompt, "the text to continue").required();
  command.option("--max-new-tokens", options->generate.max_new_tokens, "at most").positive().show_default();
  command.option("--temperature", options->generate.temperature, "0 is greedy").not_negative().show_default();
  command
      .option("--top-p", options->generate.top_p,
              "sample from the likeliest tokens that together reach this probability")
      .between(1e-6, 1.0)
      .show_default();
  command.option("--top-k", options->generate.top_k, "sample from the k likeliest tokens; 0: all")
      .not_negative()
      .show_default();
  command.option("--seed", options->generate.seed, "of the sampling").show_default();
  command.flag("--ignore-eos", options->ignore_eos, "go on after an end-of-text token");
  command.flag("--no-echo", options->no_echo, "print the new text alone, without a newline at its end");
  command.examples(
      "Examples:\n"
      "  llm-pretrain generate --model HF_DIR --prompt \"The first step is\" --max-new-tokens 64\n"
      "  llm-pretrain generate --model runs/my_run --prompt \"def main\" --temperature 0.8 --top-p 0.95 --seed 1");
  command.run([options] { generate(*options); });
}

}  // namespace longhaul::cli
