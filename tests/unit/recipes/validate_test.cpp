#include <gtest/gtest.h>

#include <functional>
#include <limits>

#include "longhaul/core/error.h"
#include "longhaul/recipes/library.h"

namespace longhaul {
namespace {

template <typename Change>
std::string error_after(Change change, Recipe r = recipes::llama_tiny()) {
  change(r);
  try {
    validate(r);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

bool starts(const std::string& text, const std::string& start) {
  return text.starts_with(start);
}

TEST(Validate, StepsOfAProfile) {
  for (const char* good : {"", "3", "10..12", "7..7"})
    EXPECT_EQ(error_after([&](Recipe& r) { r.trainer.profile = good; }), "no error") << good;
  for (const char* bad : {"0", "5..4", "a", "1..", "..2", "1..2..3", "1-2", " 1"})
    EXPECT_PRED2(starts, error_after([&](Recipe& r) { r.trainer.profile = bad; }),
                 std::string("trainer.profile is \"") + bad + "\": give the first and the last step");
}

TEST(Validate, WhatACudaGraphCannotRecord) {
  const auto error = [](auto change) {
    return error_after([&](Recipe& r) {
      r.trainer.cuda_graphs = CudaGraphs::micro_batch;
      change(r);
    });
  };
  EXPECT_EQ(error([](Recipe&) {}), "no error");
  EXPECT_EQ(
      error([](Recipe& r) { r.model.hidden_dropout = r.model.attention_dropout = r.model.embedding_dropout = 0.1; }),
      "no error");
  EXPECT_EQ(
      error([](Recipe& r) { r.data.reset_attention_mask = true; }),
      "trainer.cuda_graphs micro_batch does not fit: data.reset_attention_mask gives every micro-batch other borders. Choose "
      "data.reset_attention_mask=false, or trainer.cuda_graphs=none");
  EXPECT_EQ(
      error([](Recipe& r) {
        r.data.reset_attention_mask = true;
        r.recompute = {.mode = RecomputeMode::full, .offload = true};
      }),
      "trainer.cuda_graphs micro_batch does not fit: data.reset_attention_mask gives every micro-batch other borders, and "
      "recompute.offload moves tensors to the host. Choose data.reset_attention_mask=false recompute.offload=false, or "
      "trainer.cuda_graphs=none");
  const std::pair<const char*, std::function<void(Recipe&)>> refused[] = {
      {"trainer.device is cpu", [](Recipe& r) { r.trainer.device = DeviceChoice::cpu; }},
      {"data.reset_position_ids gives", [](Recipe& r) { r.data.reset_position_ids = true; }},
      {"recompute.offload moves", [](Recipe& r) { r.recompute = {.mode = RecomputeMode::full, .offload = true}; }},
      {"2 ranks exchange", [](Recipe& r) { r.parallel.tensor = 2; }}};
  for (const auto& [problem, change] : refused) {
    EXPECT_PRED2(starts, error(change), std::string("trainer.cuda_graphs micro_batch does not fit: ") + problem);
  }
  Recipe recipe = resolved(recipes::llama_tiny());
  recipe.trainer.cuda_graphs = CudaGraphs::micro_batch;
  EXPECT_NO_THROW(require_cuda_graphs(recipe, 1));
  EXPECT_THROW(require_cuda_graphs(recipe, 2), UserError) << "data-parallel ranks";
}

TEST(Validate, NamesKeysValuesAndRemedies) {
  EXPECT_EQ(error_after([](Recipe&) {}), "no error");
  EXPECT_EQ(
      error_after([](Recipe& r) { r.batch.micro = 3; }),
      "batch.global 8 does not divide by batch.micro 3: choose batch.micro=2, or a batch.global that is a multiple of 3");
  EXPECT_EQ(error_after([](Recipe& r) { r.schedule.warmup_steps = 100; }),
            "schedule.warmup_steps 100 leaves no steps to train at the peak: it must be less than "
            "trainer.max_steps 100 (schedule.warmup_steps=0 for a short try)");
  EXPECT_PRED2(starts, error_after([](Recipe& r) { r.optimizer.min_lr = 1; }),
               "optimizer.min_lr 1 is greater than optimizer.lr 0.003");
  EXPECT_PRED2(starts, error_after([](Recipe& r) { r.data.sequence_length = 129; }),
               "data.sequence_length 129 is longer than model.max_positions 128");
  EXPECT_PRED2(starts, error_after([](Recipe& r) { r.model.kv_heads = 3; }),
               "model.heads 4 does not divide by model.kv_heads 3");
  EXPECT_PRED2(starts, error_after([](Recipe& r) { r.model.vocab_size = 0; }), "data.mock has no tokenizer");
  EXPECT_PRED2(starts, error_after([](Recipe& r) { r.name = "a/b"; }), "name is \"a/b\"");
  EXPECT_PRED2(starts, error_after([](Recipe& r) {
                 r.loss.logits = LogitsPrecision::bf16;
                 r.trainer.precision = Precision::fp32;
               }),
               "loss.logits bf16 rounds the logits of a run in BF16, but trainer.precision is fp32");
  EXPECT_PRED2(starts, error_after([](Recipe& r) { r.recompute.layers = 1; }),
               "recompute.layers is 1, but recompute.mode is none");
  EXPECT_PRED2(starts, error_after([](Recipe& r) { r.schedule.wsd_decay_steps = 5; }), "schedule.wsd_decay_steps and");
  EXPECT_PRED2(starts, error_after([](Recipe& r) {
                 r.schedule.kind = ScheduleKind::wsd;
                 r.schedule.wsd_decay_steps = 91;
               }),
               "schedule.wsd_decay_steps 91 does not fit between schedule.warmup_steps 10 and trainer.max_steps 100");
}

TEST(Validate, ZeroBubbleKeepsWholeGradients) {
  const auto with = [](Sharding sharding) {
    return error_after([=](Recipe& r) {
      r.parallel.pipeline = 2;
      r.parallel.schedule = PipelineSchedule::zero_bubble;
      r.parallel.sharding = sharding;
    });
  };
  EXPECT_EQ(with(Sharding::optimizer), "no error");
  EXPECT_PRED2(starts, with(Sharding::gradients), "parallel.schedule zero_bubble leaves weight gradients for later");
}

TEST(Validate, Rampups) {
  const auto rampup = [](int64_t start, int64_t increment, int64_t samples) {
    return error_after([=](Recipe& r) {
      r.batch = {
          .global = 8, .micro = 2, .rampup_start = start, .rampup_increment = increment, .rampup_samples = samples};
    });
  };
  EXPECT_EQ(rampup(4, 2, 100), "no error");
  EXPECT_PRED2(starts, rampup(0, 2, 0), "batch.rampup_increment and batch.rampup_samples need batch.rampup_start");
  EXPECT_PRED2(starts, rampup(4, 0, 100), "batch.rampup_start 4 needs batch.rampup_increment");
  EXPECT_PRED2(starts, rampup(8, 2, 100), "batch.rampup_start 8 and increments of 2 do not lead to batch.global 8");
  EXPECT_PRED2(starts, rampup(2, 4, 100), "batch.rampup_start 2 and increments of 4 do not lead to batch.global 8");
  EXPECT_PRED2(
      starts, rampup(5, 1, 100),
      "batch.rampup_start has batches of 5 sequences, which do not divide by batch.micro 2: choose batch.micro=1, or");
}

TEST(Validate, Splits) {
  for (const char* good : {"969,30,1", "1,0,0", "0.9,0.05,0.05", "1,2", "1"})
    EXPECT_EQ(error_after([&](Recipe& r) { r.data.split = good; }), "no error") << good;
  for (const char* bad : {"", "1,2,3,4", "a,b,c", "-1,1,1", "0,0,0", "1,,1", "1,1,1,", "nan,1,1"})
    EXPECT_PRED2(starts, error_after([&](Recipe& r) { r.data.split = bad; }), "data.split: \"") << bad;
}

TEST(Validate, AnEvaluationNeedsDataToEvaluateOn) {
  const auto error = [](const char* split, const char* valid, const char* test, int64_t every = 10) {
    return error_after([&](Recipe& r) {
      r.data.mock = false;
      r.data.train = "text";
      r.data.split = split;
      r.data.valid = valid;
      r.data.test = test;
      r.trainer.eval_every = every;
    });
  };
  EXPECT_EQ(error("969,30,1", "", ""), "no error");
  EXPECT_EQ(error("969,30,1", "held_out", "another"), "no error");
  EXPECT_EQ(error("1,0,0", "", "", 0), "no error");
  EXPECT_EQ(error("969,30,1", "", "another", 0), "no error");
  EXPECT_EQ(
      error("1,0,0", "", ""),
      "trainer.eval_every is 10, but there is nothing to evaluate on, since data.split \"1,0,0\" has no share for "
      "it: set data.valid or a second share, or trainer.eval_every=0");
  EXPECT_EQ(error("969,30,1", "", "another"),
            "trainer.eval_every is 10, but there is nothing to evaluate on, since data.train is used whole where "
            "data.test is given: set data.valid, or trainer.eval_every=0");
}

TEST(Validate, ARunOfMoreTokensThanCanBeCounted) {
  const auto most = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(error_after([](Recipe& r) { r.trainer.max_steps = 976562500000000; }), "no error");
  EXPECT_EQ(
      error_after([](Recipe& r) { r.trainer.max_steps = 976562500000001; }),
      "trainer.max_steps 976562500000001 × batch.global 8 × data.sequence_length 128 is more than 10^18 tokens: set "
      "trainer.max_steps to 976562500000000 or less");
  EXPECT_PRED2(starts, error_after([&](Recipe& r) { r.trainer.max_steps = most; }),
               "trainer.max_steps 9223372036854775807");
  EXPECT_PRED2(starts, error_after([&](Recipe& r) { r.trainer.eval_steps = most; }),
               "trainer.eval_steps 9223372036854775807");
  EXPECT_PRED2(starts, error_after([&](Recipe& r) {
                 r.batch = {most, 1};
               }),
               "trainer.max_steps 100 × batch.global 9223372036854775807");
}

TEST(Validate, AConstantRateNeedsNoMinimum) {
  EXPECT_EQ(error_after([](Recipe& r) {
              r.schedule.kind = ScheduleKind::constant;
              r.optimizer.lr = 1e-6;
            }),
            "no error");
}

TEST(Validate, Layouts) {
  const auto error = [](auto change) { return error_after(change, recipes::llama3_70b()); };
  EXPECT_EQ(error([](Recipe&) {}), "no error");
  EXPECT_PRED2(starts, error([](Recipe& r) { r.parallel.tensor = 3; }),
               "model.heads 64 does not divide by parallel.tensor 3");
  // What tensor ranks share of a sequence must be whole, or they don't share it.
  EXPECT_PRED2(
      starts, error([](Recipe& r) {
        r.data.sequence_length = 8190;
        r.parallel.context = 1;
      }),
      "data.sequence_length 8190 does not divide by parallel.tensor 4 × parallel.context 1, as parallel.sequence needs. What fits: "
      "parallel.tensor=4 parallel.pipeline=4 parallel.sequence=false");
  EXPECT_PRED2(starts, error([](Recipe& r) { r.parallel.tensor = 1; }),
               "parallel.sequence needs parallel.tensor above 1");
  EXPECT_PRED2(starts, error([](Recipe& r) { r.parallel.virtual_pipeline = 1; }),
               "parallel.virtual_pipeline 1 and parallel.schedule interleaved");
  EXPECT_PRED2(starts, error([](Recipe& r) { r.parallel.pipeline = 32; }),
               "parallel.pipeline 32 × parallel.virtual_pipeline 5 is more than");
  EXPECT_PRED2(starts, error([](Recipe& r) { r.parallel.expert = 2; }),
               "parallel.expert is 2, but the model has no experts");
}

TEST(RequireLayout, TheRanksMustFit) {
  Recipe r = recipes::llama_tiny();
  EXPECT_NO_THROW(require_layout(r, 1));
  r.parallel.tensor = 2;
  r.parallel.pipeline = 2;
  const auto message = [&](int64_t ranks) -> std::string {
    try {
      require_layout(r, ranks);
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(message(1).find("4 ranks with the layout as it is"), std::string::npos) << message(1);
  EXPECT_NE(message(6).find("8 ranks with the layout as it is"), std::string::npos) << message(6);
  r.batch.global = 8;
  r.batch.micro = 2;
  EXPECT_EQ(message(4), "");
  EXPECT_EQ(message(16), "");
  EXPECT_NE(message(12).find("8 ranks with the layout as it is"), std::string::npos) << message(12);
  r.parallel.sharding = Sharding::parameters;
  r.parallel.context = 2;
  EXPECT_EQ(
      message(4),
      "parallel.context is 2, which Longhaul can't train with yet: add parallel.context=1. A rank then keeps the activations of 2 "
      "times as many tokens; what makes room for them: parallel.tensor=4 parallel.sequence=true, or recompute.mode=full");
  r.parallel.context = 1;
  EXPECT_EQ(message(4), "");
}

// What a run says of a recipe with context ranks is that there are none yet, before whether they fit.
TEST(Validate, ContextRanksAreForPlans) {
  for (const auto make : recipe_library()) {
    const Recipe r = make();
    EXPECT_NO_THROW(validate(r)) << r.name;
    if (r.parallel.context == 1) continue;
    try {
      validate(r, 1);
      ADD_FAILURE() << r.name;
    } catch (const UserError& error) {
      EXPECT_PRED2(starts, error.what(),
                   fmt::format("parallel.context is {}, which Longhaul can't train with yet", r.parallel.context));
    }
  }
}

TEST(Validate, AModelFromACheckpointIsCheckedOnceItsShapeIsKnown) {
  Recipe r = recipes::llama_tiny();
  r.data.sequence_length = 4096;
  r.model.from = "folder";
  EXPECT_NO_THROW(validate(r));
  EXPECT_THROW(validate_shape(r), UserError);
  r.model.max_positions = 4096;
  EXPECT_NO_THROW(validate_shape(r));
  r.recompute = {RecomputeMode::full, 3};
  EXPECT_THROW(validate_shape(r), UserError);
}

TEST(Validate, TrainingNeedsData) {
  EXPECT_NO_THROW(require_data(recipes::llama_tiny()));
  EXPECT_THROW(require_data(recipes::llama3_8b()), UserError);
}

TEST(Resolved, DerivesShapeAndFolderAndLeavesTheScheduleOpen) {
  Recipe r = recipes::llama_tiny();
  r.schedule.kind = ScheduleKind::wsd;
  const Recipe out = resolved(r);
  EXPECT_EQ(out.schedule, r.schedule);
  EXPECT_EQ(out.trainer.run_dir, "runs/llama_tiny");
  EXPECT_EQ(out.model.head_dim, 32);
  EXPECT_EQ(resolved(out), out);
}

}  // namespace
}  // namespace longhaul
