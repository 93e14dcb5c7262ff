// llm-pretrain verify: what Longhaul computes with a model, in FP32, beside what `transformers` computes.
// Token ids that are always the same go through both; every layer's output is compared, so that the first
// layer that differs can be named; then both continue a prompt greedily.
#include <ATen/Parallel.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "cli/commands.h"
#include "cli/verify/comparison.h"
#include "cli/verify/python_reference.h"
#include "longhaul/checkpoint/safetensors_reader.h"
#include "longhaul/core/error.h"
#include "longhaul/core/random.h"
#include "longhaul/core/table.h"
#include "longhaul/data/tokenizer/tokenizer.h"
#include "longhaul/train/generate.h"
#include "longhaul/train/model_folder.h"

namespace longhaul::cli {
namespace {

constexpr double kTolerance = 1e-4;  // relative; what FP32 leaves between two orders of adding is 100 times less

struct Options {
  std::string model, reference, prompt = "The quick brown fox";
  int64_t tokens = 256, max_new_tokens = 32, threads = 0;
};

// What goes through both.
struct Input {
  std::vector<int64_t> tokens;
  std::string prompt;  // "" without a tokenizer
  std::vector<int64_t> prompt_ids;
};

struct Result {
  std::vector<at::Tensor> layers;  // the embedding, then each layer's output
  at::Tensor final_hidden, logits;
  std::vector<int64_t> prompt_ids, new_ids;
  std::string new_text;
};

at::Tensor ids_tensor(const std::vector<int64_t>& ids) {
  return at::tensor(ids, at::TensorOptions().dtype(at::kLong));
}

std::vector<int64_t> ids_of(const at::Tensor& tensor) {
  const int64_t* data = tensor.const_data_ptr<int64_t>();
  return {data, data + tensor.numel()};
}

Input make_input(const ModelFolder& folder, const Options& options) {
  const ModelConfig& config = folder.config();
  const RandomStream random(1, "verify");
  Input input;
  for (int64_t i = 0; i < std::min(options.tokens, config.max_positions); ++i) {
    input.tokens.push_back(random.words(static_cast<uint64_t>(i))[0] % static_cast<uint64_t>(config.vocab_size));
  }
  if (folder.has_tokenizer()) {
    const auto tokenizer = folder.tokenizer();
    if (tokenizer->vocab_size() > config.vocab_size) {
      throw UserError("the tokenizer of {} has {} tokens, but the model only {}: they don't belong together",
                      options.model, tokenizer->vocab_size(), config.vocab_size);
    }
    const auto ids = tokenizer->encode(options.prompt);
    if (!ids.empty()) {
      input.prompt = options.prompt;
      input.prompt_ids.assign(ids.begin(), ids.end());
    }
  }
  if (input.prompt_ids.empty()) {
    input.prompt_ids.assign(input.tokens.begin(), input.tokens.begin() + std::min<ptrdiff_t>(8, input.tokens.size()));
  }
  return input;
}

Result run_ours(const ModelFolder& folder, const Input& input, const Options& options) {
  c10::AutoGradMode no_grad(false);
  const auto model = load_model(folder, at::kFloat, c10::Device(c10::DeviceType::CPU));
  Result out;
  out.final_hidden = model->hidden_states(ids_tensor(input.tokens), {}, &out.layers);
  out.logits = model->logits(out.final_hidden);
  out.prompt_ids = input.prompt_ids;
  const std::vector<int32_t> prompt(input.prompt_ids.begin(), input.prompt_ids.end());
  GenerateOptions generate_options;
  generate_options.max_new_tokens = options.max_new_tokens;
  const auto ids = generate(*model, prompt, generate_options);
  out.new_ids.assign(ids.begin(), ids.end());
  if (!input.prompt.empty()) out.new_text = folder.tokenizer()->decode(ids, /*skip_special_tokens=*/true);
  return out;
}

Result run_theirs(const std::string& hf_folder, const Input& input, int64_t max_new_tokens, int64_t layers) {
  const TemporaryFolder scratch;
  const std::vector<uint8_t> prompt(input.prompt.begin(), input.prompt.end());
  const SafetensorsReader file(run_reference(hf_folder,
                                             {{"tokens", ids_tensor(input.tokens)},
                                              {"prompt", at::tensor(prompt, at::TensorOptions().dtype(at::kByte))},
                                              {"prompt_ids", ids_tensor(input.prompt_ids)},
                                              {"max_new_tokens", ids_tensor({max_new_tokens})}},
                                             scratch.path()));
  Result out;
  for (int64_t i = 0; i <= layers; ++i) out.layers.push_back(file.tensor(fmt::format("layer.{}", i)));
  out.final_hidden = file.tensor("final");
  out.logits = file.tensor("logits");
  out.prompt_ids = ids_of(file.tensor("prompt_ids"));
  out.new_ids = ids_of(file.tensor("greedy_ids"));
  const at::Tensor text = file.tensor("greedy_text");
  out.new_text.assign(reinterpret_cast<const char*>(text.const_data_ptr<uint8_t>()), static_cast<size_t>(text.numel()));
  return out;
}

// Prints the table; returns what differs first, in words, or "".
std::string compare_layers(const Result& ours, const Result& theirs) {
  std::vector<LayerDifference> rows;
  for (size_t i = 0; i < ours.layers.size(); ++i) {
    rows.push_back(
        compare_layer(i == 0 ? "embedding" : fmt::format("layer {}", i - 1), ours.layers[i], theirs.layers[i]));
  }
  rows.push_back(compare_layer("final norm", ours.final_hidden, theirs.final_hidden));
  rows.push_back(compare_layer("logits", ours.logits, theirs.logits));
  TextTable table({"output of", "max abs difference", "relative"});
  for (const size_t column : {1, 2}) table.align(column, TextTable::Align::right);
  std::string first;
  for (const LayerDifference& row : rows) {
    const bool differs = row.relative > kTolerance;
    if (differs && first.empty()) first = row.name;
    std::vector<std::string> cells{row.name, fmt::format("{:.2e}", row.absolute), fmt::format("{:.2e}", row.relative)};
    if (differs) cells.emplace_back(row.name == first ? "differs first" : "differs");
    table.add(std::move(cells));
  }
  fmt::print("{}\n", table.str());
  return first;
}

// Prints how the greedy continuations compare; returns whether they are equal.
bool compare_greedy(const Result& ours, const Result& theirs) {
  if (ours.prompt_ids != theirs.prompt_ids) {
    fmt::print("the tokenizers differ: the prompt's token {} is another one\n",
               first_difference(ours.prompt_ids, theirs.prompt_ids));
    return false;
  }
  const int64_t parting = first_difference(ours.new_ids, theirs.new_ids);
  if (parting >= 0) {
    const auto id = [&](const std::vector<int64_t>& ids) {
      const auto i = static_cast<size_t>(parting);
      return i < ids.size() ? fmt::format("{}", ids[i]) : std::string("the end");
    };
    fmt::print("greedy tokens part at token {} of {}: ours {}, transformers' {}\n", parting, ours.new_ids.size(),
               id(ours.new_ids), id(theirs.new_ids));
    return false;
  }
  if (ours.new_text != theirs.new_text) {
    fmt::print("greedy tokens are equal, but not their text:\n  ours          {}\n  transformers  {}\n", ours.new_text,
               theirs.new_text);
    return false;
  }
  fmt::print("greedy tokens: all {} equal\n", ours.new_ids.size());
  return true;
}

void verify(const Options& options) {
  if (options.threads > 0) at::set_num_threads(static_cast<int>(options.threads));
  const ModelFolder folder(options.model);
  if (folder.is_checkpoint() && options.reference.empty()) {
    throw UserError(
        "{} is a checkpoint, which transformers can't read: export it (llm-pretrain export), and verify that "
        "folder, or name it with --reference",
        options.model);
  }
  const std::string& reference = options.reference.empty() ? options.model : options.reference;
  const Input input = make_input(folder, options);
  const Result ours = run_ours(folder, input, options);
  const Result theirs = run_theirs(reference, input, options.max_new_tokens, folder.config().layers);
  fmt::print("{} and transformers on {}, FP32, {} tokens\n\n", options.model, reference, input.tokens.size());
  const std::string first = compare_layers(ours, theirs);
  const bool same_text = compare_greedy(ours, theirs);
  if (first.empty() && same_text) {
    fmt::print("equal, within {:g} relative\n", kTolerance);
    return;
  }
  std::fflush(stdout);
  throw EnvironmentError(
      "{} differs from transformers{}{}", options.model,
      first.empty() ? " in its greedy text" : fmt::format("; first in: {}", first),
      reference == options.model
          ? ""
          : fmt::format(". (If {} was exported in BF16, it is rounded: export with --dtype fp32 to compare)",
                        reference));
}

}  // namespace

void add_verify_command(const Command& app) {
  auto options = std::make_shared<Options>();
  const Command command = app.subcommand("verify", "Compare a model with what transformers computes");
  command.option("--model", options->model, "the Hugging Face folder").required();
  command.option("--reference", options->reference, "the folder that transformers reads; default: the same");
  command.option("--tokens", options->tokens, "how many token ids go through the layers").positive().show_default();
  command.option("--prompt", options->prompt, "the text to continue greedily").show_default();
  command.option("--max-new-tokens", options->max_new_tokens, "of the greedy text").positive().show_default();
  command.option("--threads", options->threads, "CPU threads; 0: all cores").not_negative();
  command.examples(
      "Examples:\n"
      "  llm-pretrain verify --model HF_DIR\n"
      "  llm-pretrain verify --model runs/my_run --reference EXPORTED_HF_DIR   (exported with --dtype fp32: BF16 rounds)\n"
      "Wants a Python with torch, transformers and safetensors: that of $LONGHAUL_PYTHON, else the one that\n"
      "scripts/setup --test installs, else python3. Exit code 0: equal; 1: not, or there is no such Python.");
  command.run([options] { verify(*options); });
}

}  // namespace longhaul::cli
