// The executor on tensors: what it computes, and how many activations are alive meanwhile.
#include "longhaul/parallel/pipeline_executor.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/full.h>
#include <ATen/ops/sum.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <vector>

#include "longhaul/comm/thread_communicator.h"
#include "longhaul/parallel/pipeline_timeline.h"

namespace longhaul::parallel {
namespace {

struct Counter {
  std::atomic<int64_t> live{0}, peak{0};
  void add() { peak = std::max(peak.load(), ++live); }
};

// A factor that autograd keeps until the backward of its product.
at::Tensor counted_factor(float value, Counter& counter) {
  counter.add();
  auto* data = new float(value);
  return at::from_blob(
      data, {1},
      [&counter](void* pointer) {
        delete static_cast<float*>(pointer);
        --counter.live;
      },
      at::kFloat);
}

// Every virtual stage v multiplies by v + 2; the loss is the product. So the gradient of the input is the product of
// all factors, whatever the micro-batch.
TEST(PipelineExecutor, KeepsNoMoreActivationsThanItsScheduleSays) {
  const PipelineShape shapes[] = {
      {PipelineKind::gpipe, 3, 1, 5},       {PipelineKind::one_f_one_b, 1, 1, 3}, {PipelineKind::one_f_one_b, 4, 1, 9},
      {PipelineKind::one_f_one_b, 4, 1, 2}, {PipelineKind::interleaved, 2, 2, 6}, {PipelineKind::interleaved, 3, 2, 6},
  };
  for (const PipelineShape& shape : shapes) {
    const auto stages = static_cast<size_t>(shape.stages);
    std::vector<Counter> counters(stages);
    std::vector<at::Tensor> inputs;
    float product = 1;
    for (int64_t v = 0; v < shape.stages * shape.chunks; ++v) product *= static_cast<float>(v + 2);
    for (int64_t i = 0; i < shape.micro_batches; ++i) {
      inputs.push_back(at::full({1}, static_cast<float>(i + 1)).requires_grad_(true));
    }
    std::vector<float> losses(static_cast<size_t>(shape.micro_batches));
    comm::run_thread_ranks(static_cast<int>(shape.stages), [&](comm::Communicator& world) {
      at::set_num_threads(1);
      const int64_t stage = world.rank();
      const auto forward = [&](int64_t chunk, int64_t micro_batch, const at::Tensor& input) {
        const auto factor = static_cast<float>(chunk * shape.stages + stage + 2);
        const bool first = stage == 0 && chunk == 0;
        const at::Tensor out = (first ? inputs[static_cast<size_t>(micro_batch)] : input) *
                               counted_factor(factor, counters[static_cast<size_t>(stage)]);
        if (virtual_stage_after(shape, {stage, chunk})) return out;
        losses[static_cast<size_t>(micro_batch)] = out.item<float>();
        return out.sum();
      };
      run_pipeline(pipeline_program(shape, stage), &world,
                   {.forward = forward, .boundary = {1}, .options = at::kFloat});
    });
    for (size_t i = 0; i < inputs.size(); ++i) {
      EXPECT_EQ(losses[i], product * static_cast<float>(i + 1));
      EXPECT_EQ(inputs[i].grad().item<float>(), product);
    }
    for (size_t stage = 0; stage < stages; ++stage) {
      EXPECT_EQ(counters[stage].peak, peak_live_activations(shape, static_cast<int64_t>(stage)));
      EXPECT_EQ(counters[stage].live, 0);
    }
  }
}

}  // namespace
}  // namespace longhaul::parallel
