#include <string>

#include "longhaul/core/error.h"
#include "longhaul/data/split.h"
#include "longhaul/recipes/batch_schedule.h"
#include "longhaul/recipes/layouts.h"
#include "longhaul/recipes/recipe.h"
#include "longhaul/recipes/step_range.h"

namespace longhaul {
namespace {

void validate_batch(const Recipe& r) {
  BatchSchedule(r.batch, r.data.sequence_length);  // or it throws
}

// Counts of samples and tokens, and small multiples of them, stay within 63 bits.
void validate_length(const Recipe& r) {
  constexpr int64_t kMostTokens = 1'000'000'000'000'000'000;
  const int64_t samples = kMostTokens / r.data.sequence_length, steps = samples / r.batch.global;
  const auto check = [&](const char* key, int64_t value) {
    if (value > steps)
      throw UserError(
          "{} {} × batch.global {} × data.sequence_length {} is more than 10^18 tokens: set {} to {} or less", key,
          value, r.batch.global, r.data.sequence_length, steps > 0 ? key : "batch.global", steps > 0 ? steps : samples);
  };
  check("trainer.max_steps", r.trainer.max_steps);
  check("trainer.eval_steps", r.trainer.eval_steps);
}

void validate_data(const Recipe& r) {
  if (r.data.mock && !r.data.train.empty())
    throw UserError("data.mock is true and data.train is \"{}\": set data.mock=false to train on the files",
                    r.data.train);
  if (!r.data.replay.empty() && r.data.train.empty())
    throw UserError("data.replay {} is mixed into data.train, but there is none: set data.train", r.data.replay);
  if (r.data.replay.empty() && r.data.replay_fraction != DataConfig().replay_fraction)
    throw UserError(
        "data.replay_fraction is {}, but data.replay names no data to replay: set data.replay to a prefix or a blend of the "
        "original distribution",
        r.data.replay_fraction);
  if (!r.data.sampler_sharding && r.data.sampler != SamplerKind::cyclic)
    throw UserError(
        "data.sampler_sharding is false, but data.sampler is {}, which has none: set data.sampler=cyclic, or "
        "data.sampler_sharding=true",
        name_of(r.data.sampler));
  if (r.data.stable_order && r.data.sampler == SamplerKind::cyclic)
    throw UserError(
        "data.stable_order keeps the first samples of a longer run, but data.sampler=cyclic shuffles all of them anew: "
        "set data.stable_order=false, or data.sampler=sequential");
  if (!r.data.tokenizer.empty() && !r.model.from.empty())
    throw UserError(
        "data.tokenizer {} is for models from scratch, but model.from {} brings its own: leave one of them out",
        r.data.tokenizer, r.model.from);
  if (r.data.mock && r.model.from.empty() && r.model.vocab_size == 0 && r.data.tokenizer.empty())
    throw UserError(
        "data.mock has no tokenizer to take the vocabulary from: set model.vocab_size, or data.tokenizer to a folder "
        "with tokenizer.json");
  const bool has_share = parse_split(r.data.split)[static_cast<size_t>(Split::valid)].has_value();
  const bool by_file = !r.data.valid.empty() || !r.data.test.empty();
  if (r.trainer.eval_every > 0 && !r.data.mock && (by_file ? r.data.valid.empty() : !has_share))
    throw UserError(
        "trainer.eval_every is {}, but there is nothing to evaluate on, since {}: set data.valid{}, or "
        "trainer.eval_every=0",
        r.trainer.eval_every,
        by_file ? "data.train is used whole where data.test is given"
                : fmt::format("data.split \"{}\" has no share for it", r.data.split),
        by_file ? "" : " or a second share");
}

void validate_positions(const Recipe& r) {
  if (r.data.sequence_length <= r.model.max_positions) return;
  const std::string where = r.model.from.empty()
                                ? "raise model.max_positions"
                                : fmt::format("raise it in the config.json of a copy of {}", r.model.from);
  throw UserError("data.sequence_length {} is longer than model.max_positions {}: shorten the sequence, or {}{}",
                  r.data.sequence_length, r.model.max_positions, where,
                  r.model.position == PositionEmbedding::rope ? " (and think of the rotary theta or scaling)" : "");
}

void validate_schedule(const Recipe& r) {
  const auto& [kind, warmup, decay_key, wsd_key, wsd_style] = r.schedule;
  const int64_t decay = decay_key == 0 ? r.trainer.max_steps : decay_key;
  const char* end = decay_key == 0 ? "trainer.max_steps" : "schedule.decay_steps";
  if (warmup >= decay)
    throw UserError(
        "schedule.warmup_steps {} leaves no steps to train at the peak: it must be less than {} {} (schedule.warmup_steps=0 for a short try)",
        warmup, end, decay);
  if (kind != ScheduleKind::constant && r.optimizer.min_lr > r.optimizer.lr)
    throw UserError("optimizer.min_lr {} is greater than optimizer.lr {}: lower min_lr, for example to {}",
                    r.optimizer.min_lr, r.optimizer.lr, r.optimizer.lr / 10);
  if (kind == ScheduleKind::wsd && wsd_key > decay - warmup)
    throw UserError("schedule.wsd_decay_steps {} does not fit between schedule.warmup_steps {} and {} {}", wsd_key,
                    warmup, end, decay);
  if (kind != ScheduleKind::wsd && (wsd_key != 0 || wsd_style != WsdDecay::linear))
    throw UserError("schedule.wsd_decay_steps and schedule.wsd_decay need schedule.kind=wsd, but it is {}",
                    name_of(kind));
}

void validate_recompute(const Recipe& r) {
  if (r.recompute.layers != 0 && r.recompute.mode == RecomputeMode::none)
    throw UserError("recompute.layers is {}, but recompute.mode is none: set recompute.mode to selective or full",
                    r.recompute.layers);
  if (r.recompute.offload && r.recompute.mode != RecomputeMode::full)
    throw UserError(
        "recompute.offload moves what recompute.mode full keeps, but the mode is {}: set recompute.mode=full, or "
        "recompute.offload=false",
        name_of(r.recompute.mode));
}

void validate_profile(const Recipe& r) {
  if (!r.trainer.profile.empty()) (void)parse_step_range("trainer.profile", r.trainer.profile);
}

void validate_loss(const Recipe& r) {
  if (r.loss.logits == LogitsPrecision::bf16 && r.trainer.precision != Precision::bf16)
    throw UserError(
        "loss.logits bf16 rounds the logits of a run in BF16, but trainer.precision is {}: set loss.logits=auto, or "
        "trainer.precision=bf16",
        name_of(r.trainer.precision));
}

void validate_parallel(const Recipe& r) {
  const ParallelConfig& p = r.parallel;
  axis_order(p);  // or it throws
  if (p.sequence && p.tensor == 1)
    throw UserError("parallel.sequence needs parallel.tensor above 1, but it is 1: set parallel.sequence=false");
  if (p.virtual_pipeline > 1 && p.pipeline == 1)
    throw UserError("parallel.virtual_pipeline {} needs parallel.pipeline above 1: set parallel.virtual_pipeline=1",
                    p.virtual_pipeline);
  if ((p.virtual_pipeline > 1) != (p.schedule == PipelineSchedule::interleaved))
    throw UserError(
        "parallel.virtual_pipeline {} and parallel.schedule {} disagree: only the interleaved schedule has more than one chunk a stage, "
        "and it needs them. Set {}",
        p.virtual_pipeline, name_of(p.schedule),
        p.virtual_pipeline > 1 ? "parallel.schedule=interleaved, or parallel.virtual_pipeline=1"
                               : "parallel.virtual_pipeline=2 or more, or parallel.schedule=1f1b");
  if (p.schedule == PipelineSchedule::zero_bubble && p.sharding >= Sharding::gradients)
    throw UserError(
        "parallel.schedule zero_bubble leaves weight gradients for later, so they can't be handed out after each micro-batch, as "
        "parallel.sharding {} does: set parallel.sharding=optimizer, or parallel.schedule=1f1b",
        name_of(p.sharding));
  if (p.register_buffers && p.sharding >= Sharding::gradients)
    throw UserError(
        "parallel.register_buffers registers buffers that stay, but parallel.sharding {} makes them anew in every step: set "
        "parallel.register_buffers=false, or parallel.sharding=optimizer",
        name_of(p.sharding));
}

}  // namespace

void validate(const Recipe& r, int64_t ranks) {
  if (r.name.empty() || r.name.find('/') != std::string::npos)
    throw UserError("name is \"{}\"; it must be a plain name, since it also names the run's folder", r.name);
  require_family(r.model.family);
  validate_batch(r);
  validate_length(r);
  validate_data(r);
  validate_schedule(r);
  validate_recompute(r);
  validate_profile(r);
  validate_loss(r);
  validate_parallel(r);
  if (r.model.from.empty()) validate_shape(r, ranks);
}

void validate_shape(const Recipe& r, int64_t ranks) {
  const ModelConfig m = r.model.resolved();
  validate_positions(r);
  if (r.recompute.layers > m.layers)
    throw UserError("recompute.layers {} is more than model.layers {}; 0 means all", r.recompute.layers, m.layers);
  if (r.parallel.expert > 1)
    throw UserError("parallel.expert is {}, but the model has no experts: set parallel.expert=1", r.parallel.expert);
  Recipe shaped = r;
  shaped.model = m;
  if (ranks > 0) {
    require_layout(shaped, ranks);
  } else {
    require_layout(r.parallel, layout_needs(shaped));
  }
  require_cuda_graphs(shaped, ranks);
}

void require_data(const Recipe& r) {
  if (!r.data.mock && r.data.train.empty())
    throw UserError(
        "there is nothing to train on: set data.train=PREFIX to the files that `llm-pretrain prepare` made, "
        "or "
        "data.mock=true for made-up data");
}

}  // namespace longhaul
