#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "longhaul/core/error.h"
#include "pipeline_interpreter.h"

namespace longhaul::parallel {

std::ostream& operator<<(std::ostream& out, const PipelineShape& s) {
  return out << "kind " << static_cast<int>(s.kind) << ", " << s.stages << " stages, " << s.chunks << " chunks, "
             << s.micro_batches << " micro-batches";
}

namespace {

constexpr Messages kAllMessages[] = {Messages::blocking, Messages::stream, Messages::eager};
using Programs = std::vector<std::vector<PipelineStep>>;

std::vector<PipelineShape> all_shapes() {
  std::vector<PipelineShape> shapes;
  for (int64_t stages = 1; stages <= 8; ++stages)
    for (int64_t micro_batches = 1; micro_batches <= 17; ++micro_batches) {
      for (const auto kind : {PipelineKind::gpipe, PipelineKind::one_f_one_b, PipelineKind::zero_bubble})
        shapes.push_back({kind, stages, 1, micro_batches});
      for (const auto kind : {PipelineKind::interleaved, PipelineKind::forward_only})
        for (int64_t chunks = 1; chunks <= 4; ++chunks) shapes.push_back({kind, stages, chunks, micro_batches});
    }
  return shapes;
}

// Written down apart from the code: what one keeps at most, and how long all stages take together.
int64_t expected_live(const PipelineShape& s, int64_t stage) {
  const int64_t all = s.chunks * s.micro_batches;
  switch (s.kind) {
    case PipelineKind::gpipe:
      return s.micro_batches;
    case PipelineKind::one_f_one_b:
      return std::min(s.stages - stage, s.micro_batches);
    case PipelineKind::zero_bubble:
      return std::min(s.stages, s.micro_batches);
    case PipelineKind::forward_only:
      return 1;
    case PipelineKind::interleaved:
      break;
  }
  return std::min(2 * (s.stages - stage - 1) + (s.chunks - 1) * pipeline_group(s) + 1, all);
}

int64_t unit(const PipelineShape& s) {
  return s.kind == PipelineKind::forward_only ? 1 : 3;
}

int64_t expected_end(const PipelineShape& s) {
  const int64_t others = s.stages - 1, work = unit(s) * s.chunks * s.micro_batches;
  if (s.kind == PipelineKind::zero_bubble) return work + 2 * others - std::min(others, s.micro_batches - 1);
  return work + unit(s) * (others + (s.chunks - 1) * std::max<int64_t>(0, s.stages - s.micro_batches));
}

// What is wrong with these programs, by any kind of messages; empty: nothing.
std::string verdict(const PipelineShape& shape, const Programs& programs) {
  for (const Messages messages : kAllMessages) {
    const PipelineRun run = run_pipeline(shape, programs, messages);
    if (!run.problem.empty()) return run.problem;
    for (int64_t stage = 0; stage < shape.stages; ++stage)
      if (run.live[static_cast<size_t>(stage)] != expected_live(shape, stage)) return "other activations alive";
    if (messages != Messages::blocking && run.end != expected_end(shape)) return "another end";
  }
  return "";
}

TEST(PipelineProgram, RunsUnderAnyMessagesWithTheFormulasMemoryAndBubble) {
  for (const PipelineShape& shape : all_shapes()) EXPECT_EQ(verdict(shape, pipeline_programs(shape)), "") << shape;
}

TEST(PipelineProgram, TheFormulasAreThoseOfTheHeader) {
  for (const PipelineShape& shape : all_shapes()) {
    for (int64_t stage = 0; stage < shape.stages; ++stage)
      EXPECT_EQ(peak_live_activations(shape, stage), expected_live(shape, stage)) << shape;
    const auto work = static_cast<double>(unit(shape) * shape.chunks * shape.micro_batches);
    EXPECT_DOUBLE_EQ(bubble_fraction(shape), (static_cast<double>(expected_end(shape)) - work) / work) << shape;
    EXPECT_EQ(pipeline_timeline(shape).end, expected_end(shape)) << shape;
  }
}

TEST(PipelineProgram, PostsFewReceivesAhead) {
  for (const PipelineShape& shape : all_shapes()) {
    int64_t most = shape.kind == PipelineKind::gpipe ? 1 : shape.kind == PipelineKind::interleaved ? 4 : 2;
    if (shape.chunks > 1) most += 2 * std::max<int64_t>(0, pipeline_group(shape) - shape.stages);
    EXPECT_LE(run_pipeline(shape, pipeline_programs(shape), Messages::eager).receives, most) << shape;
  }
}

// A message that arrives while a stage computes finds its receive posted before that action, not after it.
TEST(PipelineProgram, ReceivesArePostedBeforeTheActionDuringWhichTheyArrive) {
  for (const PipelineShape& shape : all_shapes()) {
    const PipelineTimeline timeline = pipeline_timeline(shape);
    const Programs programs = pipeline_programs(shape);
    // The ends of the actions whose output goes to another stage, in the order of the sends of that pair of
    // stages.
    std::map<std::pair<size_t, size_t>, std::vector<int64_t>> sent;
    for (size_t stage = 0; stage < programs.size(); ++stage) {
      std::map<std::tuple<bool, int64_t, int64_t>, int64_t> ends;
      for (const auto& [action, begin, end] : timeline.stages[stage])
        if (action.part != PipelinePart::weight_gradient)
          ends[{action.part == PipelinePart::forward, action.chunk, action.micro_batch}] = end;
      for (const PipelineStep& step : programs[stage])
        for (const PipelineTransfer& t : step.transfers)
          if (t.way == PipelineTransfer::Way::send)
            sent[{stage, static_cast<size_t>(t.peer)}].push_back(
                ends.at({t.payload == PipelineTransfer::Payload::activation, t.chunk, t.micro_batch}));
    }
    for (size_t stage = 0; stage < programs.size(); ++stage) {
      std::map<size_t, size_t> received;
      size_t next = 0;  // action
      for (const PipelineStep& step : programs[stage]) {
        for (const PipelineTransfer& t : step.transfers) {
          if (t.way != PipelineTransfer::Way::receive) continue;
          const auto peer = static_cast<size_t>(t.peer);
          const int64_t arrives = sent[{peer, stage}].at(received[peer]++);
          const auto& actions = timeline.stages[stage];
          EXPECT_TRUE(next == 0 || actions[next - 1].end <= arrives) << shape;
          EXPECT_TRUE(next < actions.size() && arrives < actions[next].end) << shape;
        }
        next += step.action ? 1 : 0;
      }
    }
  }
}

TEST(PipelineProgram, ABatchHasOneSendAtMost) {
  for (const PipelineShape& shape : all_shapes())
    for (const auto& program : pipeline_programs(shape))
      for (const PipelineStep& step : program) {
        const auto sends = std::count_if(step.transfers.begin(), step.transfers.end(), [](const PipelineTransfer& t) {
          return t.way == PipelineTransfer::Way::send;
        });
        EXPECT_LE(sends, 1) << shape;
      }
}

// Programs with one fault, which the interpreter must find; otherwise the tests above would say little.
class BrokenProgram : public testing::TestWithParam<PipelineShape> {
 protected:
  // Applies `change` to each step of each program in turn; it returns false where there is nothing to change.
  template <typename Change>
  void expect_found(Change change) {
    const Programs good = pipeline_programs(GetParam());
    ASSERT_EQ(verdict(GetParam(), good), "");
    int changed = 0;
    for (size_t stage = 0; stage < good.size(); ++stage)
      for (size_t step = 0; step < good[stage].size(); ++step) {
        Programs programs = good;
        if (!change(programs, stage, step)) continue;
        ++changed;
        EXPECT_NE(verdict(GetParam(), programs), "") << "stage " << stage << ", step " << step;
      }
    EXPECT_GT(changed, 0);
  }
};

TEST_P(BrokenProgram, AnActionIsDropped) {
  expect_found([](Programs& programs, size_t stage, size_t step) {
    return std::exchange(programs[stage][step].action, std::nullopt).has_value();
  });
}

TEST_P(BrokenProgram, AnActionRunsTwice) {
  expect_found([](Programs& programs, size_t stage, size_t step) {
    auto& program = programs[stage];
    if (!program[step].action) return false;
    program.insert(program.begin() + static_cast<std::ptrdiff_t>(step) + 1, PipelineStep{{}, program[step].action});
    return true;
  });
}

TEST_P(BrokenProgram, AnActionIsOfAnotherMicroBatch) {
  expect_found([](Programs& programs, size_t stage, size_t step) {
    if (!programs[stage][step].action) return false;
    programs[stage][step].action->micro_batch ^= 1;
    return true;
  });
}

// A weight gradient may change places with its neighbours: nobody waits for it.
TEST_P(BrokenProgram, NeighboursAreSwapped) {
  expect_found([](Programs& programs, size_t stage, size_t step) {
    auto& program = programs[stage];
    if (step + 1 >= program.size() || !program[step].action || !program[step + 1].action) return false;
    for (const size_t s : {step, step + 1})
      if (program[s].action->part == PipelinePart::weight_gradient) return false;
    std::swap(program[step].action, program[step + 1].action);
    return true;
  });
}

TEST_P(BrokenProgram, ATransferIsDropped) {
  expect_found([](Programs& programs, size_t stage, size_t step) {
    auto& transfers = programs[stage][step].transfers;
    if (transfers.empty()) return false;
    transfers.pop_back();
    return true;
  });
}

TEST_P(BrokenProgram, ATransferIsOfAnotherMicroBatch) {
  expect_found([](Programs& programs, size_t stage, size_t step) {
    if (programs[stage][step].transfers.empty()) return false;
    programs[stage][step].transfers.front().micro_batch ^= 1;
    return true;
  });
}

// Two receives from the same stage change places: both arrive, each as the other.
TEST_P(BrokenProgram, AReceiveTakesTheNextOnesPlace) {
  expect_found([](Programs& programs, size_t stage, size_t step) {
    PipelineTransfer* first = nullptr;
    for (size_t s = step; s < programs[stage].size(); ++s)
      for (PipelineTransfer& t : programs[stage][s].transfers) {
        if (t.way != PipelineTransfer::Way::receive) continue;
        if (first && t.peer == first->peer) return std::swap(*first, t), true;
        if (!first && s == step) first = &t;
      }
    return false;
  });
}

// A receive is posted only after the action that needs it.
TEST_P(BrokenProgram, AReceiveComesTooLate) {
  expect_found([](Programs& programs, size_t stage, size_t step) {
    auto& program = programs[stage];
    if (!program[step].action || program[step].action->part == PipelinePart::weight_gradient) return false;
    for (size_t s = 0; s <= step; ++s)
      for (auto t = program[s].transfers.begin(); t != program[s].transfers.end(); ++t) {
        const bool forward = program[step].action->part == PipelinePart::forward;
        if (t->way != PipelineTransfer::Way::receive || t->chunk != program[step].action->chunk ||
            t->micro_batch != program[step].action->micro_batch ||
            (t->payload == PipelineTransfer::Payload::activation) != forward)
          continue;
        if (step + 1 == program.size()) program.emplace_back();
        program[step + 1].transfers.push_back(*t);
        program[s].transfers.erase(t);
        return true;
      }
    return false;
  });
}

INSTANTIATE_TEST_SUITE_P(Kinds, BrokenProgram,
                         testing::Values(PipelineShape{PipelineKind::gpipe, 3, 1, 4},
                                         PipelineShape{PipelineKind::one_f_one_b, 4, 1, 8},
                                         PipelineShape{PipelineKind::interleaved, 3, 2, 6},
                                         PipelineShape{PipelineKind::interleaved, 2, 3, 4},
                                         PipelineShape{PipelineKind::forward_only, 3, 2, 4},
                                         PipelineShape{PipelineKind::zero_bubble, 4, 1, 6}));

// In GPipe stage 1 answers only after the last activation. If stage 0 asks for the first gradient before it
// sends that, messages that wait never end; eager ones do.
TEST(PipelineProgram, ADeadlockIsFound) {
  const PipelineShape shape{PipelineKind::gpipe, 2, 1, 2};
  Programs programs = pipeline_programs(shape);
  auto& program = programs[0];
  const auto receives = [](const PipelineStep& step) {
    return !step.transfers.empty() && step.transfers[0].way == PipelineTransfer::Way::receive;
  };
  const auto first = std::find_if(program.begin(), program.end(), receives);
  ASSERT_NE(first, program.end());
  program[1].transfers.insert(program[1].transfers.end(), first->transfers.begin(), first->transfers.end());
  first->transfers.clear();
  EXPECT_EQ(run_pipeline(shape, programs, Messages::eager).problem, "");
  EXPECT_TRUE(run_pipeline(shape, programs, Messages::blocking).problem.starts_with("deadlock"));
  EXPECT_NE(run_pipeline(shape, programs, Messages::stream).problem, "");
}

TEST(PipelineSchedule, SchedulesThatWaitForEachOtherAreABug) {
  const PipelineShape shape{PipelineKind::one_f_one_b, 2, 1, 2};
  const auto F = [](int64_t m) { return PipelineAction{PipelinePart::forward, 0, m}; };
  const auto B = [](int64_t m) { return PipelineAction{PipelinePart::backward, 0, m}; };
  // Stage 0 wants a gradient of the first micro-batch before the second; stage 1 wants the second first.
  EXPECT_THROW(pipeline_timeline(shape, {{F(0), B(0), F(1), B(1)}, {F(1), B(1), F(0), B(0)}}), InternalError);
}

TEST(PipelineSchedule, OneForwardOneBackwardByHand) {
  using enum PipelinePart;
  const PipelineShape shape{PipelineKind::one_f_one_b, 3, 1, 4};
  const auto F = [](int64_t m) { return PipelineAction{forward, 0, m}; };
  const auto B = [](int64_t m) { return PipelineAction{backward, 0, m}; };
  EXPECT_EQ(pipeline_schedule(shape, 0), (std::vector{F(0), F(1), F(2), B(0), F(3), B(1), B(2), B(3)}));
  EXPECT_EQ(pipeline_schedule(shape, 1), (std::vector{F(0), F(1), B(0), F(2), B(1), F(3), B(2), B(3)}));
  EXPECT_EQ(pipeline_schedule(shape, 2), (std::vector{F(0), B(0), F(1), B(1), F(2), B(2), F(3), B(3)}));
}

TEST(PipelineSchedule, GradientsAddUpInTheSameOrderInEverySchedule) {
  for (const PipelineShape& shape : all_shapes())
    for (int64_t stage = 0; stage < shape.stages; ++stage) {
      std::vector<int64_t> next(static_cast<size_t>(shape.chunks), 0);
      for (const PipelineAction& action : pipeline_schedule(shape, stage)) {
        const bool last = action.part == PipelinePart::backward || action.part == PipelinePart::weight_gradient;
        if (!last) continue;
        EXPECT_EQ(action.micro_batch, next[static_cast<size_t>(action.chunk)]++) << shape;
      }
    }
}

TEST(PipelineSchedule, AGroupLeavesNoSmallRemainder) {
  EXPECT_EQ(pipeline_group({PipelineKind::interleaved, 4, 2, 8}), 4);
  EXPECT_EQ(pipeline_group({PipelineKind::interleaved, 4, 2, 9}), 5);
  EXPECT_EQ(pipeline_group({PipelineKind::interleaved, 4, 2, 7}), 7);
  EXPECT_EQ(pipeline_group({PipelineKind::interleaved, 8, 2, 17}), 9);
  EXPECT_EQ(pipeline_group({PipelineKind::interleaved, 4, 2, 3}), 3);
}

}  // namespace
}  // namespace longhaul::parallel
