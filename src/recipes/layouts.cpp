#include "longhaul/recipes/layouts.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <tuple>

#include "longhaul/core/config/fields.h"
#include "longhaul/core/error.h"
#include "longhaul/model/shard.h"
#include "longhaul/recipes/batch_schedule.h"

namespace longhaul {
namespace {

bool divides(int64_t divisor, int64_t number) {
  return number % divisor == 0;
}

void check_tensor(const ParallelConfig& p, const LayoutNeeds& n, std::vector<std::string>& problems) {
  if (!divides(p.tensor, n.heads))
    problems.push_back(fmt::format("model.heads {} does not divide by parallel.tensor {}", n.heads, p.tensor));
  if (!divides(p.tensor, n.kv_heads) && !divides(n.kv_heads, p.tensor))
    problems.push_back(
        fmt::format("neither of model.kv_heads {} and parallel.tensor {} divides by the other", n.kv_heads, p.tensor));
  if (!divides(p.tensor, n.ffn_hidden))
    problems.push_back(
        fmt::format("model.ffn_hidden {} does not divide by parallel.tensor {}", n.ffn_hidden, p.tensor));
  const int64_t rows = vocabulary_rows(n.vocab_size, n.vocab_multiple, p.tensor);
  if (n.vocab_size > 0 && n.vocab_size <= (p.tensor - 1) * rows)
    problems.push_back(fmt::format(
        "model.vocab_size {}, cut into parallel.tensor {} × {} rows (multiples of model.vocab_multiple {}), "
        "leaves none to the last rank",
        n.vocab_size, p.tensor, rows, n.vocab_multiple));
  if (p.sequence && p.tensor == 1) problems.push_back("parallel.sequence needs parallel.tensor above 1");
  if (p.tensor_chunks > 1 && p.tensor == 1)
    problems.push_back(fmt::format("parallel.tensor_chunks {} needs parallel.tensor above 1", p.tensor_chunks));
}

void check_sequence(const ParallelConfig& p, const LayoutNeeds& n, std::vector<std::string>& problems) {
  if (p.context > 1 && !divides(2 * p.context, n.sequence_length))
    problems.push_back(fmt::format("data.sequence_length {} does not divide by twice parallel.context {}",
                                   n.sequence_length, p.context));
  if (p.sequence && !divides(p.context * p.tensor, n.sequence_length))
    problems.push_back(
        fmt::format("data.sequence_length {} does not divide by parallel.tensor {} × parallel.context {}, as "
                    "parallel.sequence needs",
                    n.sequence_length, p.tensor, p.context));
}

void check_pipeline(const ParallelConfig& p, const LayoutNeeds& n, std::vector<std::string>& problems) {
  const int64_t counted = (p.count_embedding ? 1 : 0) + (p.count_loss ? 1 : 0);
  const std::string split = parallel::layer_split_problem(n.layers, p.pipeline, p.virtual_pipeline, layer_split(p));
  if (p.pipeline * p.virtual_pipeline > n.layers + counted) {
    problems.push_back(fmt::format("parallel.pipeline {} × parallel.virtual_pipeline {} is more than model.layers {}",
                                   p.pipeline, p.virtual_pipeline, n.layers));
  } else if (!split.empty()) {
    problems.push_back(split);
  }
  if (p.virtual_pipeline > 1 && p.pipeline == 1)
    problems.push_back(fmt::format("parallel.virtual_pipeline {} needs parallel.pipeline above 1", p.virtual_pipeline));
  if ((p.virtual_pipeline > 1) != (p.schedule == PipelineSchedule::interleaved))
    problems.push_back(fmt::format("parallel.virtual_pipeline {} and parallel.schedule {} disagree", p.virtual_pipeline,
                                   name_of(p.schedule)));
}

void check_ranks(const ParallelConfig& p, const LayoutNeeds& n, std::vector<std::string>& problems) {
  if (n.ranks == 0) return;
  if (!divides(p.model_ranks(), n.ranks)) {
    problems.push_back(
        fmt::format("{} not divide by parallel.tensor {} × parallel.pipeline {} × parallel.context {}, which is {}",
                    n.ranks == 1 ? "1 rank does" : fmt::format("{} ranks do", n.ranks), p.tensor, p.pipeline, p.context,
                    p.model_ranks()));
  } else if (const int64_t data = n.ranks / p.model_ranks(); !divides(data, n.micro_batches)) {
    problems.push_back(fmt::format("{} / batch.micro, {} micro-batch{}{}, does not divide by {} data-parallel ranks",
                                   n.batch_key, n.micro_batches, n.micro_batches == 1 ? "" : "es",
                                   n.batch_key == "batch.global" ? "" : " common to all its batches", data));
  }
}

// How far apart two sizes are: doubling and halving are one step.
double steps(int64_t a, int64_t b) {
  return std::abs(std::log2(static_cast<double>(a) / static_cast<double>(b)));
}

double distance(const ParallelConfig& a, const ParallelConfig& b) {
  return steps(a.tensor, b.tensor) + steps(a.pipeline, b.pipeline) + steps(a.context, b.context) +
         steps(a.virtual_pipeline, b.virtual_pipeline) / 2 + (layer_split(a) == layer_split(b) ? 0 : 0.25) +
         (a.sequence == b.sequence ? 0 : 0.25);
}

// What has to follow from the sizes follows.
ParallelConfig with_sizes(ParallelConfig layout, int64_t tensor, int64_t pipeline, int64_t chunks, int64_t context) {
  layout.tensor = tensor;
  layout.pipeline = pipeline;
  layout.virtual_pipeline = chunks;
  layout.context = context;
  if (tensor == 1) {
    layout.sequence = false;
    layout.tensor_chunks = 1;
  }
  if (pipeline == 1) layout.first_stage_layers = layout.last_stage_layers = 0;
  if (chunks > 1)
    layout.schedule = PipelineSchedule::interleaved;
  else if (layout.schedule == PipelineSchedule::interleaved)
    layout.schedule = PipelineSchedule::one_f_one_b;
  return layout;
}

// As wanted, and where the ends have numbers of layers of their own, with what else these might be: the most that fits,
// and an equal part.
std::vector<ParallelConfig> with_other_ends(const ParallelConfig& wanted, const LayoutNeeds& needs) {
  std::vector<ParallelConfig> choices{wanted};
  if (wanted.first_stage_layers == 0 && wanted.last_stage_layers == 0) return choices;
  const int64_t most =
      parallel::most_layers_of_ends(needs.layers, wanted.pipeline, wanted.virtual_pipeline, layer_split(wanted));
  for (const auto end : {&ParallelConfig::first_stage_layers, &ParallelConfig::last_stage_layers}) {
    const bool alone = wanted.*end == wanted.first_stage_layers + wanted.last_stage_layers;
    if (!alone || most <= 0 || most >= wanted.*end) continue;
    choices.push_back(wanted);
    choices.back().*end = most;
  }
  choices.push_back(wanted);
  choices.back().first_stage_layers = choices.back().last_stage_layers = 0;
  return choices;
}

std::vector<ParallelConfig> fitting(const ParallelConfig& wanted, const LayoutNeeds& needs) {
  std::vector<ParallelConfig> found;
  const auto try_sizes = [&](const ParallelConfig& base, int64_t tensor, int64_t pipeline) {
    for (int64_t context = 1; context <= wanted.context; ++context)
      for (int64_t chunks = 1; chunks <= wanted.virtual_pipeline; ++chunks) {
        ParallelConfig layout = with_sizes(base, tensor, pipeline, chunks, context);
        if (layout.sequence && !layout_problems(layout, needs).empty()) layout.sequence = false;
        if (layout_problems(layout, needs).empty()) found.push_back(layout);
      }
  };
  for (const ParallelConfig& base : with_other_ends(wanted, needs))
    for (int64_t tensor = 1; tensor <= needs.heads; ++tensor) {
      if (!divides(tensor, needs.heads)) continue;
      for (int64_t pipeline = 1; pipeline <= needs.layers; ++pipeline) try_sizes(base, tensor, pipeline);
    }
  return found;
}

std::string overrides(const ParallelConfig& layout, const ParallelConfig& wanted, const LayoutNeeds& needs) {
  std::string text = fmt::format("parallel.tensor={} parallel.pipeline={}", layout.tensor, layout.pipeline);
  if (layout.virtual_pipeline != wanted.virtual_pipeline)
    text += fmt::format(" parallel.virtual_pipeline={}", layout.virtual_pipeline);
  if (layout.schedule != wanted.schedule) text += fmt::format(" parallel.schedule={}", name_of(layout.schedule));
  if (layout.tensor_chunks != wanted.tensor_chunks)
    text += fmt::format(" parallel.tensor_chunks={}", layout.tensor_chunks);
  if (layout.sequence != wanted.sequence) text += fmt::format(" parallel.sequence={}", layout.sequence);
  if (layout.context != wanted.context) text += fmt::format(" parallel.context={}", layout.context);
  if (layout.first_stage_layers != wanted.first_stage_layers)
    text += fmt::format(" parallel.first_stage_layers={}", layout.first_stage_layers);
  if (layout.last_stage_layers != wanted.last_stage_layers)
    text += fmt::format(" parallel.last_stage_layers={}", layout.last_stage_layers);
  if (needs.ranks == 0) return text;
  const int64_t data = needs.ranks / layout.model_ranks();
  return text + fmt::format(" (with {} data-parallel rank{})", data, data == 1 ? "" : "s");
}

}  // namespace

LayoutNeeds layout_needs(const Recipe& r, int64_t ranks) {
  return {ranks,
          r.model.heads,
          r.model.kv_heads,
          r.model.layers,
          r.model.ffn_hidden,
          r.model.vocab_size,
          r.model.vocab_multiple,
          r.data.sequence_length,
          BatchSchedule(r.batch, r.data.sequence_length).common() / r.batch.micro,
          r.batch.micro,
          !r.batch.schedule.empty()   ? "batch.schedule"
          : r.batch.rampup_start != 0 ? "batch.rampup_start"
                                      : "batch.global"};
}

parallel::PipelineShape pipeline_shape(const ParallelConfig& layout, int64_t micro_batches) {
  auto kind = parallel::PipelineKind::one_f_one_b;
  switch (layout.schedule) {
    case PipelineSchedule::gpipe:
      kind = parallel::PipelineKind::gpipe;
      break;
    case PipelineSchedule::one_f_one_b:
      break;
    case PipelineSchedule::interleaved:
      kind = parallel::PipelineKind::interleaved;
      break;
    case PipelineSchedule::zero_bubble:
      kind = parallel::PipelineKind::zero_bubble;
      break;
  }
  return {kind, layout.pipeline, layout.virtual_pipeline, micro_batches};
}

parallel::LayerSplit layer_split(const ParallelConfig& layout) {
  return {layout.count_embedding, layout.count_loss, layout.first_stage_layers, layout.last_stage_layers};
}

std::vector<std::string> layout_problems(const ParallelConfig& layout, const LayoutNeeds& needs) {
  std::vector<std::string> problems;
  check_tensor(layout, needs, problems);
  check_sequence(layout, needs, problems);
  check_pipeline(layout, needs, problems);
  check_ranks(layout, needs, problems);
  return problems;
}

std::vector<std::string> nearest_layouts(const ParallelConfig& wanted, const LayoutNeeds& needs, size_t most) {
  std::vector<ParallelConfig> layouts = fitting(wanted, needs);
  // Among equally near ones first the one that spreads the model over more ranks: it needs less memory.
  const auto rank = [&](const ParallelConfig& layout) {
    return std::tuple(distance(layout, wanted), -layout.model_ranks(), -layout.tensor);
  };
  std::stable_sort(layouts.begin(), layouts.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  std::vector<std::string> texts;
  for (const ParallelConfig& layout : layouts) {
    const std::string text = overrides(layout, wanted, needs);
    if (std::ranges::find(texts, text) == texts.end()) texts.push_back(text);  // one stage has no ends to differ in
    if (texts.size() == most) break;
  }
  return texts;
}

std::vector<int64_t> nearest_rank_counts(const ParallelConfig& layout, const LayoutNeeds& needs) {
  LayoutNeeds other = needs;
  const auto fits = [&](int64_t copies) {
    other.ranks = copies * layout.model_ranks();
    return layout_problems(layout, other).empty();
  };
  const int64_t copies = needs.ranks / layout.model_ranks();
  std::vector<int64_t> counts;
  for (int64_t fewer = copies; fewer >= 1 && counts.empty(); --fewer)
    if (fits(fewer)) counts.push_back(other.ranks);
  for (int64_t more = copies + 1; more <= std::max(needs.micro_batches, copies + 1); ++more)
    if (fits(more)) {
      counts.push_back(other.ranks);
      break;
    }
  return counts;
}

int64_t fitting_micro_batch(const ParallelConfig& layout, const LayoutNeeds& needs) {
  const int64_t data = needs.ranks / layout.model_ranks(), sequences = needs.micro_batches * needs.micro;
  if (data == 0 || sequences == 0 || !divides(data, sequences)) return 0;
  LayoutNeeds smaller = needs;
  smaller.micro = largest_micro_batch(needs.micro, sequences / data);
  smaller.micro_batches = sequences / smaller.micro;
  return smaller.micro < needs.micro && layout_problems(layout, smaller).empty() ? smaller.micro : 0;
}

void require_layout(const ParallelConfig& layout, const LayoutNeeds& needs) {
  const std::vector<std::string> problems = layout_problems(layout, needs);
  if (problems.empty()) return;
  std::vector<std::string> remedies;
  if (const int64_t micro = fitting_micro_batch(layout, needs); micro > 0)
    remedies.push_back(fmt::format("batch.micro={} with the layout as it is", micro));
  std::ranges::move(nearest_layouts(layout, needs), std::back_inserter(remedies));
  for (const int64_t ranks : nearest_rank_counts(layout, needs))
    remedies.push_back(fmt::format("{} rank{} with the layout as it is", ranks, ranks == 1 ? "" : "s"));
  if (remedies.empty()) remedies.push_back("another number of ranks, or another batch.global");
  throw UserError("{}. What fits: {}", fmt::join(problems, "; "), fmt::join(remedies, "; "));
}

}  // namespace longhaul
