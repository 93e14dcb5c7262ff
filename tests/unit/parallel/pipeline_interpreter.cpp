#include "pipeline_interpreter.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <tuple>

namespace longhaul::parallel {
namespace {

using Part = PipelinePart;
using Transfer = PipelineTransfer;
constexpr int64_t kNot = -1;

// Stands for a layer: the result tells which numbers went in, and where.
uint64_t mix(uint64_t a, uint64_t b, uint64_t c) {
  uint64_t x = a * 0x9e3779b97f4a7c15ULL + b * 0xbf58476d1ce4e5b9ULL + c * 0x94d049bb133111ebULL + 1;
  x ^= x >> 29;
  x *= 0xff51afd7ed558ccdULL;
  return x ^ (x >> 32);
}

struct Batch {
  std::vector<Transfer> transfers;
  std::vector<int64_t> done;   // when; kNot before
  std::vector<size_t> number;  // among the messages from and to the same stages
  int64_t started = kNot;
  bool complete() const { return std::find(done.begin(), done.end(), kNot) == done.end(); }
};

struct Stage {
  std::vector<Batch> batches;                          // one a step
  std::vector<std::optional<PipelineAction>> actions;  // one a step
  size_t batch = 0, action = 0;                        // the next to start
  int64_t compute = 0;                                 // when the last action was done
  int64_t channel = 0;                                 // when the last batch was complete (blocking, stream)
  std::map<std::tuple<Part, int64_t, int64_t>, std::pair<uint64_t, int64_t>> made;  // value and time
  std::map<std::tuple<Transfer::Payload, int64_t, int64_t>, std::pair<uint64_t, int64_t>> received;
  int64_t live = 0, peak = 0, posted = 0, peak_posted = 0;
};

class Interpreter {
 public:
  Interpreter(const PipelineShape& shape, const std::vector<std::vector<PipelineStep>>& programs, Messages messages)
      : shape_(shape), messages_(messages), stages_(programs.size()) {
    for (size_t s = 0; s < programs.size(); ++s) {
      for (const PipelineStep& step : programs[s]) {
        stages_[s].batches.push_back({step.transfers, std::vector<int64_t>(step.transfers.size(), kNot), {}, kNot});
        stages_[s].actions.push_back(step.action);
        for (size_t i = 0; i < step.transfers.size(); ++i) enlist(s, stages_[s].batches.size() - 1, i);
      }
    }
    for (const auto& [pair, list] : sends_)
      if (list.size() != receives_[pair].size()) throw std::runtime_error("sends and receives differ in number");
    for (const auto& [pair, list] : receives_)
      if (list.size() != sends_[pair].size()) throw std::runtime_error("receives and sends differ in number");
  }

  PipelineRun run() {
    bool moved = true;
    while (moved) {
      moved = false;
      for (size_t s = 0; s < stages_.size(); ++s) moved |= advance(s);
    }
    PipelineRun result;
    for (const Stage& stage : stages_) {
      if (stage.action != stage.actions.size() || stage.batch != stage.batches.size())
        throw std::runtime_error(fmt::format("deadlock: step {} of {} never ran", stage.action, stage.actions.size()));
      for (const Batch& batch : stage.batches)
        if (!batch.complete()) throw std::runtime_error("a message never arrived");
      if (stage.live != 0) throw std::runtime_error("activations were left over");
      result.live.push_back(stage.peak);
      result.end = std::max(result.end, stage.compute);
      result.receives = std::max(result.receives, stage.peak_posted);
    }
    check_results();
    return result;
  }

 private:
  struct Place {
    size_t stage, batch, index;
  };
  using Pair = std::pair<int64_t, int64_t>;  // from, to

  void enlist(size_t stage, size_t batch, size_t index) {
    Batch& b = stages_[stage].batches[batch];
    const Transfer& t = b.transfers[index];
    const bool send = t.way == Transfer::Way::send;
    const Pair pair = send ? Pair{stage, t.peer} : Pair{t.peer, stage};
    auto& list = send ? sends_[pair] : receives_[pair];
    b.number.push_back(list.size());
    list.push_back({stage, batch, index});
  }

  bool advance(size_t s) {
    bool moved = false;
    while (start_batch(s) || finish_transfers(s) || run_action(s)) moved = true;
    return moved;
  }

  bool start_batch(size_t s) {
    Stage& stage = stages_[s];
    if (stage.batch == stage.batches.size()) return false;
    Batch& batch = stage.batches[stage.batch];
    const bool previous_complete = stage.batch == 0 || stage.batches[stage.batch - 1].complete();
    if (messages_ != Messages::eager && !previous_complete) return false;
    if (messages_ != Messages::stream && stage.action < stage.batch) return false;
    int64_t time = messages_ == Messages::eager ? 0 : stage.channel;
    if (messages_ != Messages::stream) time = std::max(time, stage.compute);
    for (const Transfer& t : batch.transfers) {
      if (t.way != Transfer::Way::send) continue;
      const auto value = output(stage, t);
      if (!value && (messages_ == Messages::stream && stage.action < stage.batch)) return false;  // not yet
      if (!value) throw std::runtime_error("a stage sends what it has not computed");
      time = std::max(time, value->second);
    }
    batch.started = time;
    for (const Transfer& t : batch.transfers)
      if (t.way == Transfer::Way::receive) stage.peak_posted = std::max(stage.peak_posted, ++stage.posted);
    ++stage.batch;
    if (batch.complete()) stage.channel = std::max(stage.channel, time);
    return true;
  }

  bool finish_transfers(size_t s) {
    bool moved = false;
    for (size_t b = first_open_[s]; b < stages_[s].batch; ++b) {
      Batch& batch = stages_[s].batches[b];
      for (size_t i = 0; i < batch.transfers.size(); ++i)
        if (batch.done[i] == kNot && finish(s, batch, i)) moved = true;
      if (b == first_open_[s] && batch.complete()) ++first_open_[s];
    }
    return moved;
  }

  bool finish(size_t s, Batch& batch, size_t i) {
    const Transfer& t = batch.transfers[i];
    const auto self = static_cast<int64_t>(s);
    if (t.way == Transfer::Way::send) {
      if (messages_ != Messages::eager) return false;  // its receive finishes both
      complete(stages_[s], batch, i, batch.started);
      return true;
    }
    const Place from = sends_[{t.peer, self}][batch.number[i]];
    Stage& sender = stages_[from.stage];
    Batch& sent = sender.batches[from.batch];
    if (sent.started == kNot) return false;
    const int64_t time = std::max(batch.started, sent.started);
    stages_[s].received[{t.payload, t.chunk, t.micro_batch}] = {output(sender, sent.transfers[from.index])->first,
                                                                time};
    complete(stages_[s], batch, i, time);
    if (messages_ != Messages::eager) complete(sender, sent, from.index, time);
    return true;
  }

  static void complete(Stage& stage, Batch& batch, size_t i, int64_t time) {
    batch.done[i] = time;
    stage.channel = std::max(stage.channel, time);
  }

  bool run_action(size_t s) {
    Stage& stage = stages_[s];
    if (stage.action == stage.actions.size() || stage.action >= stage.batch) return false;
    if (messages_ == Messages::blocking && !stage.batches[stage.action].complete()) return false;
    if (!stage.actions[stage.action]) return ++stage.action, true;
    const PipelineAction action = *stage.actions[stage.action];
    const VirtualStage at{static_cast<int64_t>(s), action.chunk};
    const uint64_t position = static_cast<uint64_t>(at.chunk * shape_.stages + at.stage);
    int64_t time = stage.compute;
    if (messages_ == Messages::blocking) time = std::max(time, stage.channel);
    uint64_t input = static_cast<uint64_t>(action.micro_batch);
    const auto own = [&](Part part) {
      const auto found = stage.made.find({part, action.chunk, action.micro_batch});
      if (found == stage.made.end()) throw std::runtime_error("an action runs before what it builds on");
      return found->second.first;
    };

    if (action.part == Part::forward) {
      if (const auto before = virtual_stage_before(shape_, at)) {
        const auto value = arrived(stage, at, *before, Transfer::Payload::activation, Part::forward, action);
        if (!value) return false;
        input = value->first, time = std::max(time, value->second);
      }
      stage.peak = std::max(stage.peak, ++stage.live);
    } else if (action.part == Part::weight_gradient) {
      input = own(Part::backward_input);
    } else {
      input = mix(own(Part::forward), 0, 0);
      if (const auto after = virtual_stage_after(shape_, at)) {
        const auto value = arrived(stage, at, *after, Transfer::Payload::gradient, action.part, action);
        if (!value) return false;
        input = mix(value->first, own(Part::forward), 1), time = std::max(time, value->second);
      }
    }
    const bool last = shape_.kind == PipelineKind::forward_only || action.part == Part::backward ||
                      action.part == Part::weight_gradient;
    if (last) --stage.live;
    stage.compute = time + (action.part == Part::backward ? 2 : 1);
    const bool first_time =
        stage.made.try_emplace({action.part, action.chunk, action.micro_batch}, mix(input, position, 2), stage.compute)
            .second;
    if (!first_time) throw std::runtime_error("an action runs twice");
    ++stage.action;
    return true;
  }

  // An action's input: a neighbour's output, received, or made here. Empty while it can still come.
  std::optional<std::pair<uint64_t, int64_t>> arrived(Stage& stage, VirtualStage at, VirtualStage from,
                                                      Transfer::Payload payload, Part part,
                                                      const PipelineAction& action) {
    if (from.stage == at.stage) {
      const auto found = stage.made.find({part, from.chunk, action.micro_batch});
      if (found == stage.made.end()) throw std::runtime_error("an action runs before its neighbour's here");
      return found->second;
    }
    const auto found = stage.received.find({payload, action.chunk, action.micro_batch});
    if (found != stage.received.end()) {
      --stage.posted;
      return found->second;
    }
    for (size_t b = 0; b < stage.batch; ++b)
      for (const Transfer& t : stage.batches[b].transfers)
        if (t.way == Transfer::Way::receive && t.payload == payload && t.chunk == action.chunk &&
            t.micro_batch == action.micro_batch)
          return std::nullopt;
    throw std::runtime_error("an action runs before its input's receive is posted");
  }

  static std::optional<std::pair<uint64_t, int64_t>> output(const Stage& stage, const Transfer& t) {
    const bool forward = t.payload == Transfer::Payload::activation;
    for (const Part part : forward ? std::vector{Part::forward} : std::vector{Part::backward, Part::backward_input}) {
      const auto found = stage.made.find({part, t.chunk, t.micro_batch});
      if (found != stage.made.end()) return found->second;
    }
    return std::nullopt;
  }

  // Every micro-batch went through all virtual stages and back, and nothing else was computed.
  void check_results() const {
    size_t made = 0;
    for (const Stage& stage : stages_) made += stage.made.size();
    const auto positions = static_cast<uint64_t>(shape_.stages * shape_.chunks);
    const bool split = shape_.kind == PipelineKind::zero_bubble;
    const bool forward_only = shape_.kind == PipelineKind::forward_only;
    if (made != positions * static_cast<uint64_t>(shape_.micro_batches) * (forward_only ? 1 : split ? 3 : 2))
      throw std::runtime_error("not every action ran");
    for (int64_t micro_batch = 0; micro_batch < shape_.micro_batches; ++micro_batch) {
      std::vector<uint64_t> forward(positions);
      uint64_t value = static_cast<uint64_t>(micro_batch);
      for (uint64_t p = 0; p < positions; ++p) value = forward[p] = mix(value, p, 2);
      VirtualStage end{shape_.stages - 1, shape_.chunks - 1};
      Part part = Part::forward;
      if (!forward_only) {
        value = mix(mix(value, 0, 0), positions - 1, 2);
        for (uint64_t p = positions - 1; p-- > 0;) value = mix(mix(value, forward[p], 1), p, 2);
        end = {0, 0};
        part = split ? Part::backward_input : Part::backward;
      }
      const auto& made_there = stages_[static_cast<size_t>(end.stage)].made;
      const auto found = made_there.find({part, end.chunk, micro_batch});
      if (found == made_there.end() || found->second.first != value)
        throw std::runtime_error("a micro-batch was mixed up");
    }
  }

  PipelineShape shape_;
  Messages messages_;
  std::vector<Stage> stages_;
  std::vector<size_t> first_open_ = std::vector<size_t>(stages_.size(), 0);
  std::map<Pair, std::vector<Place>> sends_, receives_;
};

}  // namespace

PipelineRun run_pipeline(const PipelineShape& shape, const std::vector<std::vector<PipelineStep>>& programs,
                         Messages messages) {
  try {
    return Interpreter(shape, programs, messages).run();
  } catch (const std::runtime_error& error) {
    PipelineRun failed;
    failed.problem = error.what();
    return failed;
  }
}

}  // namespace longhaul::parallel
