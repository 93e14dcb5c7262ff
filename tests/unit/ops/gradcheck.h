// Compares the gradients that autograd computes with central differences, in double precision.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace longhaul::ops {

using Tensors = std::vector<at::Tensor>;

// Fails the test (EXPECT) where the gradient of Σ_k <output_k, fixed random c_k> differs from the central
// difference by more than `tolerance` · (1 + |difference|). `inputs` are FP64 leaves that require gradient;
// every element of each is varied, so keep them small. Runs once with all outputs and once with each alone,
// the others' gradients undefined.
void check_gradients(const std::function<Tensors(const Tensors&)>& function, const Tensors& inputs,
                     double tolerance = 1e-6);

// Fixed random numbers N(0, 1), FP64 unless told.
at::Tensor random_tensor(at::IntArrayRef sizes, uint64_t seed, at::ScalarType type = at::kDouble);
at::Tensor leaf(const at::Tensor& x);  // a detached copy that requires gradient

// max |a - b| / (1 + |b|), in double precision; 0 for empty tensors. Shapes have to agree.
double max_error(const at::Tensor& a, const at::Tensor& b);
bool bit_equal(const at::Tensor& a, const at::Tensor& b);

// Gradients of <output_k, gradient_k> summed, for leaves; undefined where none arrives. Clears them first.
Tensors gradients_of(const Tensors& outputs, const Tensors& gradients, const Tensors& leaves);

// LibTorch's and our kernels' threads, for the time of a scope. Tests of many small tensors want one: on a
// busy machine threads wait for one another far longer than they compute.
class ThreadCount {
 public:
  explicit ThreadCount(int threads);
  ~ThreadCount();
  ThreadCount(const ThreadCount&) = delete;
  ThreadCount& operator=(const ThreadCount&) = delete;

 private:
  int before_;
};

// Calls function() with that many threads.
void with_threads(int threads, const std::function<void()>& function);

}  // namespace longhaul::ops
