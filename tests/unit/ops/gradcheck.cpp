#include "unit/ops/gradcheck.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/item.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "longhaul/core/random.h"

namespace longhaul::ops {
namespace {

double inner(const Tensors& outputs, const Tensors& coefficients, int only) {
  double total = 0;
  for (size_t k = 0; k < outputs.size(); ++k) {
    if (only < 0 || only == static_cast<int>(k)) total += (outputs[k] * coefficients[k]).sum().item().toDouble();
  }
  return total;
}

void check_one(const std::function<Tensors(const Tensors&)>& function, const Tensors& inputs, double tolerance,
               const Tensors& coefficients, int only) {
  const Tensors outputs = function(inputs);
  Tensors roots, root_gradients;
  for (size_t k = 0; k < outputs.size(); ++k) {
    if (only >= 0 && only != static_cast<int>(k)) continue;
    roots.push_back(outputs[k]);
    root_gradients.push_back(coefficients[k]);
  }
  const Tensors gradients = gradients_of(roots, root_gradients, inputs);
  c10::NoGradGuard no_grad;
  for (size_t n = 0; n < inputs.size(); ++n) {
    ASSERT_TRUE(gradients[n].defined()) << "input " << n << " got no gradient";
    double* values = inputs[n].mutable_data_ptr<double>();
    const double* gradient = gradients[n].const_data_ptr<double>();
    for (int64_t i = 0; i < inputs[n].numel(); ++i) {
      const double saved = values[i], step = 1e-5;
      values[i] = saved + step;
      const double above = inner(function(inputs), coefficients, only);
      values[i] = saved - step;
      const double below = inner(function(inputs), coefficients, only);
      values[i] = saved;
      const double difference = (above - below) / (2 * step);
      EXPECT_LE(std::fabs(gradient[i] - difference), tolerance * (1 + std::fabs(difference)))
          << "input " << n << ", element " << i << ", output " << only << ": " << gradient[i] << " against "
          << difference;
    }
  }
}

}  // namespace

void check_gradients(const std::function<Tensors(const Tensors&)>& function, const Tensors& inputs, double tolerance) {
  Tensors coefficients;
  for (const at::Tensor& output : function(inputs)) {
    coefficients.push_back(random_tensor(output.sizes(), 1000 + coefficients.size()));
  }
  check_one(function, inputs, tolerance, coefficients, -1);
  for (size_t k = 0; coefficients.size() > 1 && k < coefficients.size(); ++k) {
    check_one(function, inputs, tolerance, coefficients, static_cast<int>(k));
  }
}

at::Tensor random_tensor(at::IntArrayRef sizes, uint64_t seed, at::ScalarType type) {
  const at::Tensor x = at::empty(sizes, at::kFloat);
  RandomStream(seed, "test").fill_normal(x.mutable_data_ptr<float>(), 0, x.numel(), 0, 1);
  return x.to(type);
}

at::Tensor leaf(const at::Tensor& x) {
  return x.detach().clone().requires_grad_(true);
}

double max_error(const at::Tensor& a, const at::Tensor& b) {
  EXPECT_EQ(a.sizes(), b.sizes());
  if (a.numel() == 0 || a.sizes() != b.sizes()) return 0;
  const at::Tensor truth = b.to(at::kDouble);
  return ((a.to(at::kDouble) - truth).abs() / (truth.abs() + 1)).max().item().toDouble();
}

bool bit_equal(const at::Tensor& a, const at::Tensor& b) {
  return at::equal(a, b);
}

Tensors gradients_of(const Tensors& outputs, const Tensors& gradients, const Tensors& leaves) {
  for (const at::Tensor& x : leaves) x.mutable_grad() = at::Tensor();
  torch::autograd::backward(outputs, gradients);
  Tensors result;
  for (const at::Tensor& x : leaves) result.push_back(x.grad().defined() ? x.grad().clone() : at::Tensor());
  return result;
}

ThreadCount::ThreadCount(int threads) : before_(at::get_num_threads()) {
  at::set_num_threads(threads);
}
ThreadCount::~ThreadCount() {
  at::set_num_threads(before_);
}

void with_threads(int threads, const std::function<void()>& function) {
  const ThreadCount count(threads);
  function();
}

}  // namespace longhaul::ops
