#include "longhaul/parallel/pipeline_executor.h"

#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "longhaul/core/error.h"
#include "ops/tensor_buffer.h"
#include "ops/weight_gradient_queue.h"

namespace longhaul::parallel {
namespace {

using Key = std::pair<int64_t, int64_t>;  // chunk, micro-batch

struct Arrival {
  at::Tensor value;
  comm::Work work;
};

// What lives between a forward and its backward, and on to its weight gradients where they are apart.
struct Activation {
  at::Tensor input, output;
  std::unique_ptr<ops::WeightGradientQueue> weight_gradients;
};

class Executor {
 public:
  // `splits`: a backward leaves its weight gradients to an action of their own.
  Executor(comm::Communicator* ranks, const PipelineStage& stage, bool splits)
      : ranks_(ranks), stage_(stage), splits_(splits) {}

  void run(const std::vector<PipelineStep>& program) {
    for (const PipelineStep& step : program) {
      start(step.transfers);
      if (!step.action) continue;
      const Key key{step.action->chunk, step.action->micro_batch};
      switch (step.action->part) {
        case PipelinePart::forward:
          forward(key);
          break;
        case PipelinePart::backward:
        case PipelinePart::backward_input:
          backward(key);
          break;
        case PipelinePart::weight_gradient:
          weight_gradients(key);
          break;
      }
    }
    for (Arrival& sent : sent_) sent.work.wait();
    LONGHAUL_CHECK(alive_.empty() && left_.empty() && received_.empty(),
                   "the program left {} activations, weight gradients of {}, and {} messages", alive_.size(),
                   left_.size(), received_.size());
  }

 private:
  void start(const std::vector<PipelineTransfer>& transfers) {
    if (transfers.empty()) return;
    ranks_->begin_batch();
    for (const PipelineTransfer& transfer : transfers) {
      const std::pair place{transfer.payload, Key{transfer.chunk, transfer.micro_batch}};
      const int peer = static_cast<int>(transfer.peer);
      if (transfer.way == PipelineTransfer::Way::receive) {
        const at::Tensor into = at::empty(stage_.boundary, stage_.options);
        received_[place] = {into, ranks_->receive(ops::buffer_of(into), peer)};
      } else {
        const auto made = made_.extract(place);
        LONGHAUL_CHECK(!made.empty(), "micro-batch {} is sent before it is made", transfer.micro_batch);
        const at::Tensor out = made.mapped().contiguous();
        sent_.push_back({out, ranks_->send(ops::buffer_of(out), peer)});
      }
    }
    ranks_->end_batch();
    std::erase_if(sent_, [](const Arrival& sent) { return sent.work.done(); });
  }

  at::Tensor take(PipelineTransfer::Payload payload, Key key) {
    const auto found = received_.extract(std::pair{payload, key});
    if (found.empty()) return {};
    found.mapped().work.wait();
    return found.mapped().value;
  }

  void forward(Key key) {
    at::Tensor input = take(PipelineTransfer::Payload::activation, key);
    if (input.defined()) input.requires_grad_(true);
    auto queue = splits_ ? std::make_unique<ops::WeightGradientQueue>() : nullptr;
    const ops::WeightGradientQueue::Scope scope(queue.get());
    const at::Tensor output = stage_.forward(key.first, key.second, input);
    alive_[key] = {input, output, std::move(queue)};
    if (output.dim() > 0) made_[{PipelineTransfer::Payload::activation, key}] = output.detach();
  }

  void backward(Key key) {
    const auto alive = alive_.extract(key);
    Activation& activation = alive.mapped();
    at::Tensor gradient = take(PipelineTransfer::Payload::gradient, key);
    LONGHAUL_CHECK(gradient.defined() == (activation.output.dim() > 0), "a gradient is missing, or one too many");
    torch::autograd::backward({activation.output}, {gradient});
    if (activation.input.defined()) made_[{PipelineTransfer::Payload::gradient, key}] = activation.input.grad();
    if (splits_) left_[key] = std::move(activation.weight_gradients);
  }

  void weight_gradients(Key key) {
    c10::AutoGradMode no_grad(false);
    left_.extract(key).mapped()->run();
  }

  comm::Communicator* ranks_;
  const PipelineStage& stage_;
  const bool splits_;
  std::map<std::pair<PipelineTransfer::Payload, Key>, Arrival> received_;
  std::map<std::pair<PipelineTransfer::Payload, Key>, at::Tensor> made_;  // to be sent
  std::map<Key, Activation> alive_;
  std::map<Key, std::unique_ptr<ops::WeightGradientQueue>> left_;  // by backwards, for later
  std::vector<Arrival> sent_;
};

}  // namespace

void run_pipeline(const std::vector<PipelineStep>& program, comm::Communicator* ranks, const PipelineStage& stage) {
  const bool splits = std::any_of(program.begin(), program.end(), [](const PipelineStep& step) {
    return step.action && step.action->part == PipelinePart::weight_gradient;
  });
  Executor(ranks, stage, splits).run(program);
}

}  // namespace longhaul::parallel
