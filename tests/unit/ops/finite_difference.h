// Gradients by central differences, in double: the truth for every backward of our own.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <functional>

namespace longhaul::test {

// `f` maps the values of `x` to a scalar; returns df/dx. x is contiguous FP64 and is restored.
inline at::Tensor finite_difference(const at::Tensor& x, const std::function<double()>& f, double step = 1e-5) {
  at::Tensor gradient = at::zeros_like(x);
  double* values = x.mutable_data_ptr<double>();
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double value = values[i];
    values[i] = value + step;
    const double up = f();
    values[i] = value - step;
    const double down = f();
    values[i] = value;
    gradient.mutable_data_ptr<double>()[i] = (up - down) / (2 * step);
  }
  return gradient;
}

// Largest difference, relative to the largest expected value.
inline double relative_error(const at::Tensor& actual, const at::Tensor& expected) {
  const at::Tensor a = actual.detach().to(at::kDouble);
  const at::Tensor e = expected.detach().to(at::kDouble);
  if (e.numel() == 0) return a.numel() == 0 ? 0 : 1e9;
  const double scale = e.abs().max().item<double>();
  const double error = (a - e).abs().max().item<double>();
  return scale > 0 ? error / scale : error;
}

// Root mean square of the difference, relative to that of the expected values: for low precisions.
inline double rms_error(const at::Tensor& actual, const at::Tensor& expected) {
  const at::Tensor e = expected.detach().to(at::kDouble);
  const at::Tensor difference = actual.detach().to(at::kDouble) - e;
  return (difference.norm() / (e.norm() + 1e-30)).item<double>();
}

}  // namespace longhaul::test
