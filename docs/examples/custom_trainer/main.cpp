// A training loop of one's own, which stops as soon as the held-out loss is good enough. It trains a tiny Llama on
// made-up text and leaves a Hugging Face folder.  Usage: custom_trainer [OUTPUT_FOLDER]
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "longhaul/longhaul.h"

using namespace longhaul;

int main(int argc, char** argv) try {
  // A recipe is a plain struct: begin with one, change what differs. Text of your own: data.mock, data.train.
  Recipe recipe = recipes::llama_tiny();
  recipe.optimizer.lr = 4e-3;
  recipe.trainer.max_steps = 200;
  recipe = resolved(recipe);
  const double good_enough = 0.6;

  const c10::Device device = resolve_device(recipe.trainer.device);
  const int64_t global = recipe.batch.global, micro = recipe.batch.micro;
  const int64_t length = recipe.data.sequence_length;
  const Datasets data =
      build_datasets(recipe.data, {recipe.trainer.max_steps * global, 64, 0}, {.vocab_size = recipe.model.vocab_size});
  Loader loader(data.train, {.micro_batch = micro}, {.sequence_length = length});
  const EvaluationPlan held_out{.sequence_length = length, .micro_batch = micro};

  Transformer model(recipe.model, {.dtype = at::kFloat, .device = device});
  Optimizer optimizer(model.parameters(), recipe.optimizer);
  optimizer.fill([](std::vector<longhaul::Parameter>& parameters) { initialise_parameters(parameters, /*seed=*/1); });
  optimizer.publish();

  double valid = evaluate(model, data.valid, held_out).loss;
  fmt::print("step   0  held-out loss {:.4f}\n", valid);
  for (int64_t step = 1; step <= recipe.trainer.max_steps && valid > good_enough; ++step) {
    double loss = 0;
    for (int64_t done = 0; done < global; done += micro) {  // gradients add up over the micro-batches
      Batch batch;
      loader.next(batch);
      LayerContext context{.training = true, .place = ops::dropout_place(step, done * length, device)};
      const auto [tokens, labels, weights] =
          to_device(batch, 1.0 / static_cast<double>(global * length), device, context);
      const auto result = model.loss(tokens, labels, weights, context, {});
      result.loss.backward();
      loss += result.loss.item<double>();
    }
    const double rate = learning_rate(recipe.optimizer, recipe.schedule, recipe.trainer.max_steps, step);
    const double norm = optimizer.step(rate);
    if (step % 10 != 0) continue;
    valid = evaluate(model, data.valid, held_out).loss;
    fmt::print("step {:3}  loss {:.4f}  norm {:.3f}  held-out loss {:.4f}\n", step, loss, norm, valid);
  }

  const auto continuation = generate(model, /*prompt=*/{1, 2, 3}, {.max_new_tokens = 16});
  fmt::print("1 2 3 goes on as {}\n", fmt::join(continuation, " "));
  export_hf(family(recipe.model.family), model.config(), parameter_source(model.parameters().parameters()), {},
            {.output = argc > 1 ? argv[1] : "custom_model", .dtype = at::kFloat, .overwrite = true});
  return valid <= good_enough ? 0 : 1;
} catch (const Error& error) {
  fmt::print(stderr, "error: {}\n", error.what());
  return error.exit_code();
}
