#include "ops/weight_gradient_queue.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include "longhaul/ops/linear.h"

namespace longhaul::ops {
namespace {

// The input's gradient comes at once, the weight's when the queue runs, with the same bits.
TEST(WeightGradientQueue, LeavesTheWeightGradientForLater) {
  const at::Tensor x = at::randn({5, 8}), dy = at::randn({5, 6}), weight = at::randn({6, 8});
  const auto run = [&](WeightGradientQueue* queue, const at::Tensor& main_grad) {
    const WeightGradientQueue::Scope scope(queue);
    const at::Tensor input = x.clone().requires_grad_(true);
    linear(input, {weight, main_grad}, {}).backward(dy);
    return input.grad();
  };
  const at::Tensor at_once = at::zeros({6, 8}), later = at::zeros({6, 8});
  WeightGradientQueue queue;
  EXPECT_TRUE(at::equal(run(nullptr, at_once), run(&queue, later)));
  EXPECT_GT(at_once.abs().max().item<float>(), 0);
  EXPECT_EQ(later.abs().max().item<float>(), 0);
  EXPECT_FALSE(queue.empty());
  queue.run();
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(at::equal(at_once, later));
}

}  // namespace
}  // namespace longhaul::ops
