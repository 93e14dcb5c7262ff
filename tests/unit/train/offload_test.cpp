// optimizer.offload and recompute.offload: the same numbers as without. On the CPU "the host" is the same memory, but
// the way of the tensors is the one that a GPU's take.
#include <ATen/ops/sum.h>
#include <gtest/gtest.h>

#include "longhaul/recipes/library.h"
#include "longhaul/train/trainer.h"
#include "ops/host_copies.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

class OffloadTest : public FolderTest {
 protected:
  Recipe recipe(Precision precision) const {
    Recipe r = recipes::llama_tiny();
    r.schedule.warmup_steps = 0;
    r.trainer.max_steps = 4;
    r.trainer.eval_every = 0;
    r.trainer.device = DeviceChoice::cpu;
    r.trainer.precision = precision;
    r.model.hidden_dropout = 0.1;
    return r;
  }

  struct Numbers {
    std::vector<double> losses, norms;
    bool operator==(const Numbers&) const = default;
  };
  Numbers train(Recipe r, const std::string& run, int64_t steps = 4) {
    r.trainer.run_dir = path(run);
    r.trainer.max_steps = steps;
    r.schedule.decay_steps = 4;
    Numbers numbers;
    Trainer trainer(r);
    trainer.on_step([&](const StepMetrics& m) {
      numbers.losses.push_back(m.loss);
      numbers.norms.push_back(m.grad_norm);
    });
    trainer.run();
    return numbers;
  }
};

TEST_F(OffloadTest, SameNumbersAsOnTheDevice) {
  for (const Precision precision : {Precision::fp32, Precision::bf16}) {
    const std::string type(name_of(precision));
    Recipe r = recipe(precision);
    r.recompute.mode = RecomputeMode::full;
    const Numbers plain = train(r, "plain " + type);
    r.optimizer.offload = true;
    EXPECT_EQ(train(r, "states " + type), plain);
    r.recompute.offload = true;
    EXPECT_EQ(train(r, "both " + type), plain);
    r.optimizer.offload = false;
    r.recompute.layers = 1;
    EXPECT_EQ(train(r, "some activations " + type), plain);
  }
}

TEST_F(OffloadTest, ARunGoesOnWithAndWithout) {
  Recipe r = recipe(Precision::bf16);
  const Numbers whole = train(r, "whole");
  train(r, "changes", 2);
  r.optimizer.offload = true;
  const Numbers rest = train(r, "changes");
  EXPECT_EQ(rest.losses, std::vector<double>(whole.losses.begin() + 2, whole.losses.end()));
}

TEST(HostCopies, OnTheCpuTheyAreDoneAtOnce) {
  const ops::HostCopies copies(c10::Device(c10::DeviceType::CPU));
  const at::Tensor there = copies.host_tensor({3}, at::kFloat), back = copies.host_tensor({3}, at::kFloat);
  there.fill_(2);
  auto ticket = copies.to_device(there, back);
  EXPECT_EQ(back.sum().item<float>(), 6);
  ticket.make_stream_wait();
  ticket.wait();
}

}  // namespace
}  // namespace longhaul
