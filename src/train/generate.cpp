#include "longhaul/train/generate.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <numeric>

#include "longhaul/core/error.h"
#include "longhaul/core/random.h"

namespace longhaul {
namespace {

// Draws from softmax(logits / temperature), cut to top_k and top_p. The draw of token `index` depends on the seed
// and `index` alone.
int32_t sample(const at::Tensor& logits, const GenerateOptions& options, const RandomStream& stream, int64_t index) {
  const at::Tensor probabilities = at::softmax(logits.to(at::kCPU, at::kDouble) / options.temperature, -1).contiguous();
  const double* p = probabilities.const_data_ptr<double>();
  std::vector<int32_t> order(static_cast<size_t>(probabilities.numel()));
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [p](int32_t a, int32_t b) { return p[a] > p[b] || (p[a] == p[b] && a < b); });
  if (options.top_k > 0) order.resize(std::min<size_t>(order.size(), static_cast<size_t>(options.top_k)));
  double mass = 0;
  size_t kept = 0;
  while (kept < order.size() && (kept == 0 || mass < options.top_p)) mass += p[order[kept++]];
  double rest = stream.uniform(static_cast<uint64_t>(index)) * mass;
  for (size_t i = 0; i + 1 < kept; ++i) {
    rest -= p[order[i]];
    if (rest < 0) return order[i];
  }
  return order[kept - 1];
}

}  // namespace

std::vector<int32_t> generate(Transformer& model, const std::vector<int32_t>& prompt, const GenerateOptions& options,
                              const std::function<void(int32_t)>& on_token) {
  c10::AutoGradMode no_grad(false);
  if (prompt.empty())
    throw UserError("the prompt has no tokens: give at least one character, or a beginning-of-text token");
  const ModelConfig& config = model.config();
  const int64_t room = config.max_positions - static_cast<int64_t>(prompt.size());
  if (room < 0) {
    throw UserError("the prompt has {} tokens, but the model has {} positions: shorten it", prompt.size(),
                    config.max_positions);
  }
  const int64_t count = std::min(options.max_new_tokens, room);
  KvCache cache = model.make_cache(static_cast<int64_t>(prompt.size()) + count);
  LayerContext context;
  context.cache = &cache;
  const RandomStream stream(options.seed, "generate");
  const auto device = model.parameters().options().device;

  std::vector<int32_t> out;
  std::vector<int64_t> feed(prompt.begin(), prompt.end());
  for (int64_t i = 0; i < count; ++i) {
    const at::Tensor tokens = at::tensor(feed, at::TensorOptions().dtype(at::kLong)).to(device);
    const at::Tensor hidden = model.hidden_states(tokens, context);
    const at::Tensor logits = model.logits(hidden.narrow(0, hidden.size(0) - 1, 1)).squeeze(0);
    const int32_t next = options.temperature > 0 ? sample(logits, options, stream, i)
                                                 : static_cast<int32_t>(at::argmax(logits, 0).item<int64_t>());
    if (std::find(options.stop_ids.begin(), options.stop_ids.end(), next) != options.stop_ids.end()) break;
    out.push_back(next);
    if (on_token) on_token(next);
    feed = {next};
  }
  return out;
}

}  // namespace longhaul
