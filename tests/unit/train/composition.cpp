#include "unit/train/composition.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <random>
#include <vector>

#include "longhaul/recipes/library.h"

namespace longhaul {
namespace {

constexpr int64_t kMostRanks = 16;

class Draw {
 public:
  Draw(uint64_t seed, int64_t index) : engine_(seed * 1'000'003 + static_cast<uint64_t>(index)) { engine_.discard(8); }
  int64_t below(int64_t end) { return static_cast<int64_t>(engine_() % static_cast<uint64_t>(end)); }
  int64_t between(int64_t first, int64_t last) { return first + below(last - first + 1); }
  bool percent(int64_t chance) { return below(100) < chance; }
  template <typename T>
  T of(const std::vector<T>& choices) {
    return choices[static_cast<size_t>(below(static_cast<int64_t>(choices.size())))];
  }

 private:
  std::mt19937_64 engine_;  // its numbers are the standard's; those of the standard's distributions are not
};

int64_t divisor(Draw& draw, int64_t number) {
  std::vector<int64_t> divisors;
  for (int64_t d = 1; d <= number; ++d) {
    if (number % d == 0) divisors.push_back(d);
  }
  return draw.of(divisors);
}

// Sizes mostly suit the rest of the recipe; with some chance they are anything.
constexpr int64_t kSuitable = 92;

void draw_layout(Draw& draw, Composition& c) {
  ParallelConfig& p = c.recipe.parallel;
  p.tensor = draw.of<int64_t>({1, 1, 2, 2, 3, 4, 4, 6, 8});
  p.sequence = p.tensor > 1 ? draw.percent(50) : draw.percent(3);
  p.pipeline = draw.between(1, 4);
  p.schedule = draw.of<PipelineSchedule>({PipelineSchedule::one_f_one_b, PipelineSchedule::gpipe,
                                          PipelineSchedule::interleaved, PipelineSchedule::zero_bubble});
  if (p.schedule == PipelineSchedule::interleaved && draw.percent(kSuitable)) {
    p.virtual_pipeline = draw.between(2, 3);
    if (p.pipeline == 1) p.pipeline = 2;
    if (p.pipeline * p.virtual_pipeline > 6) p.virtual_pipeline = 2;
  }
  if (p.pipeline * p.virtual_pipeline > 6) p.pipeline = 2;
  int64_t data = draw.between(1, 4);
  while (p.model_ranks() * data > kMostRanks) (data > 1 ? data : p.pipeline) -= 1;
  p.sharding = draw.of<Sharding>({Sharding::none, Sharding::optimizer, Sharding::gradients, Sharding::parameters});
  const int64_t ranks = p.model_ranks() * data;
  c.ranks = static_cast<int>(draw.percent(2) && ranks < kMostRanks ? ranks + 1 : ranks);
}

void draw_model(Draw& draw, ModelConfig& m, const ParallelConfig& p) {
  const bool suits = draw.percent(kSuitable);
  m.layers = draw.between(1, 6);
  if (suits) m.layers = std::max(m.layers, p.pipeline * p.virtual_pipeline);
  m.hidden = draw.of<int64_t>({8, 12, 16, 20, 32});
  m.heads = suits ? p.tensor * draw.between(1, 3) : draw.between(1, 8);
  m.kv_heads = suits ? p.tensor * divisor(draw, m.heads / p.tensor) : divisor(draw, m.heads);
  if (suits && draw.percent(50)) m.kv_heads = divisor(draw, p.tensor);
  m.head_dim = draw.of<int64_t>({2, 4, 6, 8, 10});
  m.ffn_hidden = suits ? p.tensor * draw.between(2, 9) : draw.between(3, 40);
  m.vocab_size = draw.of<int64_t>({11, 13, 31, 64, 97, 101, 128, 257});
  if (draw.percent(3)) m.vocab_size = draw.between(2, 5);
  m.vocab_multiple = draw.of<int64_t>({1, 1, 2, 4, 8, 16, 64});
  m.normalization = draw.of<Normalization>({Normalization::rms_norm, Normalization::layer_norm});
  m.norm_zero_centered = draw.percent(30);
  m.activation = draw.of<Activation>(
      {Activation::gelu_erf, Activation::gelu_tanh, Activation::silu, Activation::squared_relu, Activation::relu});
  m.gated = draw.percent(50);
  m.position = draw.of<PositionEmbedding>({PositionEmbedding::rope, PositionEmbedding::learned});
  if (m.position == PositionEmbedding::rope) {
    m.rotary_fraction = m.head_dim >= 4 ? draw.of<double>({1.0, 0.5}) : 1.0;
    m.rope_scaling.kind =
        draw.of<RopeScalingKind>({RopeScalingKind::none, RopeScalingKind::linear, RopeScalingKind::llama3});
    m.rope_scaling.factor = 2;
  }
  m.qkv_bias = draw.percent(40);
  m.linear_bias = draw.percent(40);
  m.proj_bias = draw.percent(20);
  m.tied_embeddings = draw.percent(40);
  m.attention_scale = draw.of<double>({0, 0, 0.3});
  m.attention_dropout = draw.of<double>({0, 0, 0.1, 0.3});
  m.hidden_dropout = draw.of<double>({0, 0, 0.1, 0.3});
  m.embedding_dropout = draw.of<double>({0, 0, 0.2});
  m.logit_softcap = draw.of<double>({0, 0, 3});
  m.init_std = 0.1;
  m.scaled_init = draw.percent(50);
}

void draw_batch(Draw& draw, Composition& c) {
  Recipe& r = c.recipe;
  const ParallelConfig& p = r.parallel;
  const bool suits = draw.percent(kSuitable);
  r.data.sequence_length = draw.between(1, 20);
  if (p.sequence && suits) r.data.sequence_length = p.tensor * draw.between(1, 24 / p.tensor);
  r.model.max_positions = r.data.sequence_length + draw.below(3);
  if (draw.percent(2)) r.model.max_positions = std::max<int64_t>(r.data.sequence_length - 1, 1);
  const int64_t data = std::max<int64_t>(c.ranks / p.model_ranks(), 1);
  r.batch.micro = draw.between(1, 3);
  r.batch.global = suits ? r.batch.micro * data * draw.between(1, 4) : draw.between(1, 12);
}

void draw_details(Draw& draw, ParallelConfig& p, int64_t layers) {
  if (p.tensor > 1 || draw.percent(2)) p.tensor_chunks = draw.of<int64_t>({1, 1, 2, 3, 5});
  std::vector<std::string> axes{"tensor", "context", "expert", "data", "pipeline"};
  for (size_t i = axes.size(); i > 1; --i)
    std::swap(axes[i - 1], axes[static_cast<size_t>(draw.below(static_cast<int64_t>(i)))]);
  if (draw.percent(50)) p.order = fmt::format("{}", fmt::join(axes, "-"));
  p.count_embedding = draw.percent(20);
  p.count_loss = draw.percent(20);
  if (p.pipeline == 1 || p.count_embedding || p.count_loss || draw.percent(50)) return;
  const int64_t chunks = p.virtual_pipeline,
                most = layers / chunks - (p.pipeline - 1);  // that leave the others one each
  if (!draw.percent(kSuitable)) {
    p.first_stage_layers = draw.between(0, layers);
    p.last_stage_layers = draw.between(0, layers);
  } else if (most >= 1) {
    (draw.percent(50) ? p.first_stage_layers : p.last_stage_layers) = chunks * draw.between(1, most);
    if (p.pipeline > 2 && p.first_stage_layers == chunks) p.last_stage_layers = chunks;
  }
}

}  // namespace

Composition draw_composition(uint64_t seed, int64_t index) {
  Draw draw(seed, index);
  Composition c;
  Recipe& r = c.recipe = recipes::llama_tiny();
  draw_layout(draw, c);
  draw_model(draw, r.model, r.parallel);
  draw_batch(draw, c);
  c.documents = draw.between(1, 5);
  r.recompute.mode = draw.of<RecomputeMode>({RecomputeMode::none, RecomputeMode::selective, RecomputeMode::full});
  if (r.recompute.mode != RecomputeMode::none) r.recompute.layers = draw.between(0, r.model.layers);
  if (draw.percent(1)) r.recompute.layers = r.model.layers + 1;
  r.loss.z_loss = draw.of<double>({0, 1e-3});
  r.optimizer.lr = 1e-2;
  r.optimizer.eps = 1e-4;  // see small_recipe
  r.optimizer.clip_norm = draw.of<double>({0, 0.3, 1});
  r.optimizer.weight_decay = draw.of<double>({0, 0.1});
  r.schedule.warmup_steps = 0;
  r.trainer.max_steps = draw.between(2, 3);
  r.trainer.precision = Precision::fp32;
  r.trainer.seed = draw.below(1 << 20);
  draw_details(draw, r.parallel, r.model.layers);
  return c;
}

Recipe on_one_rank(Recipe recipe) {
  recipe.parallel = {};
  recipe.recompute = {};
  recipe.batch.micro = 1;
  return recipe;
}

std::string describe(const Composition& c) {
  const Recipe& r = c.recipe;
  const ModelConfig& m = r.model;
  const ParallelConfig& p = r.parallel;
  const std::string model = fmt::format(
      "layers {} hidden {} heads {}/{}×{} ffn {} vocab {} in {}s, {}{} {}{} {}{} biases {}{}{} tied {} scale "
      "{} "
      "dropouts {} {} {} cap {}",
      m.layers, m.hidden, m.heads, m.kv_heads, m.head_dim, m.ffn_hidden, m.vocab_size, m.vocab_multiple,
      name_of(m.normalization), m.norm_zero_centered ? " centred" : "", name_of(m.activation), m.gated ? " gated" : "",
      name_of(m.position),
      m.position == PositionEmbedding::rope ? fmt::format(" {} {}", m.rotary_fraction, name_of(m.rope_scaling.kind))
                                            : "",
      m.qkv_bias ? 1 : 0, m.linear_bias ? 1 : 0, m.proj_bias ? 1 : 0, m.tied_embeddings, m.attention_scale,
      m.attention_dropout, m.hidden_dropout, m.embedding_dropout, m.logit_softcap);
  const std::string layout = fmt::format(
      "{} ranks, {}, tensor {}{} in {} chunks, pipeline {} {} × {} first {} last {} counted {}{} sharding {} recompute {} {}",
      c.ranks, p.order, p.tensor, p.sequence ? " sequence" : "", p.tensor_chunks, p.pipeline, name_of(p.schedule),
      p.virtual_pipeline, p.first_stage_layers, p.last_stage_layers, p.count_embedding ? 1 : 0, p.count_loss ? 1 : 0,
      name_of(p.sharding), name_of(r.recompute.mode), r.recompute.layers);
  return fmt::format(
      "{}; batch {}/{} of {} tokens in {} documents, positions {}; {}; z-loss {} clip {} decay {} steps {}", layout,
      r.batch.global, r.batch.micro, r.data.sequence_length, c.documents, m.max_positions, model, r.loss.z_loss,
      r.optimizer.clip_norm, r.optimizer.weight_decay, r.trainer.max_steps);
}

}  // namespace longhaul
