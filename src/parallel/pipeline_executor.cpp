#include "longhaul/parallel/pipeline_executor.h"

#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/autograd.h>

#include <map>
#include <utility>

#include "longhaul/core/error.h"
#include "longhaul/parallel/pipeline_program.h"
#include "ops/tensor_buffer.h"

namespace longhaul::parallel {
namespace {

using Key = std::pair<int64_t, int64_t>;  // chunk, micro-batch

struct Arrival {
  at::Tensor value;
  comm::Work work;
};

// What lives between a forward and its backward.
struct Activation {
  at::Tensor input, output;
};

class Executor {
 public:
  Executor(comm::Communicator* ranks, const PipelineStage& stage) : ranks_(ranks), stage_(stage) {}

  void run(const std::vector<PipelineStep>& program) {
    for (const PipelineStep& step : program) {
      start(step.transfers);
      if (!step.action) continue;
      const Key key{step.action->chunk, step.action->micro_batch};
      switch (step.action->part) {
        case PipelinePart::forward: forward(key); break;
        case PipelinePart::backward: backward(key); break;
        default: LONGHAUL_CHECK(false, "the layers' backwards are not in halves");
      }
    }
    for (Arrival& sent : sent_) sent.work.wait();
    LONGHAUL_CHECK(alive_.empty() && received_.empty(), "the program left {} activations and {} messages", alive_.size(),
                   received_.size());
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
    const at::Tensor output = stage_.forward(key.first, key.second, input);
    alive_[key] = {input, output};
    if (output.dim() > 0) made_[{PipelineTransfer::Payload::activation, key}] = output.detach();
  }

  void backward(Key key) {
    const Activation activation = alive_.extract(key).mapped();
    at::Tensor gradient = take(PipelineTransfer::Payload::gradient, key);
    LONGHAUL_CHECK(gradient.defined() == (activation.output.dim() > 0), "a gradient is missing, or one too many");
    torch::autograd::backward({activation.output}, {gradient});
    if (activation.input.defined()) made_[{PipelineTransfer::Payload::gradient, key}] = activation.input.grad();
  }

  comm::Communicator* ranks_;
  const PipelineStage& stage_;
  std::map<std::pair<PipelineTransfer::Payload, Key>, Arrival> received_;
  std::map<std::pair<PipelineTransfer::Payload, Key>, at::Tensor> made_;  // to be sent
  std::map<Key, Activation> alive_;
  std::vector<Arrival> sent_;
};

}  // namespace

void run_pipeline(const PipelineShape& shape, comm::Communicator* ranks, const PipelineStage& stage) {
  const int64_t place = ranks != nullptr ? ranks->rank() : 0;
  Executor(ranks, stage).run(pipeline_program(shape, place));
}

}  // namespace longhaul::parallel
