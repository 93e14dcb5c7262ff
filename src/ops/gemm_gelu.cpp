#include "ops/gemm_gelu.h"

#include <ATen/Context.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "longhaul/core/error.h"
#include "ops/activation_kernels.h"
#include "ops/dispatch.h"
#include "ops/gemm.h"
#include "ops/gemm_cuda.h"
#include "ops/timed_choice.h"

namespace longhaul::ops {
namespace {

ActivationShape shape_of(const at::Tensor& pre) {
  return {element_type(pre), Activation::gelu_tanh, pre.size(0), pre.size(1)};
}

void check_gelu(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre, const at::Tensor& other) {
  check_gemm(a, b, pre);
  LONGHAUL_CHECK(pre.scalar_type() == a.scalar_type() && other.scalar_type() == a.scalar_type(),
                 "a product with GELU has one dtype");
  LONGHAUL_CHECK(pre.is_contiguous() && other.is_contiguous() && pre.sizes() == other.sizes(),
                 "a product with GELU has contiguous results of one shape");
}

enum Way : size_t { apart, one_product };

// The faster of both, each run by run(way), which may leave anything where the result goes.
template <typename Run>
size_t faster_way(TimedChoice& choice, const at::Tensor& a, const at::Tensor& b, const at::Tensor& bias,
                  const Run& run) {
  if (!on_cuda(a) || at::globalContext().deterministicAlgorithms()) return apart;
  const std::vector<int64_t> shape = {
      a.size(0), b.size(1), a.size(1), a.stride(0), b.stride(0), static_cast<int64_t>(a.scalar_type()), bias.defined()};
  return choice.fastest(a.device(), shape, 2, run);
}

// Calls a product of cuBLASLt's, which says whether there is one.
template <typename Product>
bool in_one_product(const at::Tensor& a, const at::Tensor& b, const Product& product) {
  const OperatorScope scope([&] { return gemm_span(a.size(0), b.size(1), a.size(1)); });
  return product();
}

}  // namespace

void gemm_gelu_apart(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre, const at::Tensor& activated,
                     const at::Tensor& bias) {
  check_gelu(a, b, pre, activated);
  if (pre.numel() == 0) return;
  gemm(a, b, pre, GemmMode::overwrite, bias);
  const ActivationForward arguments{shape_of(pre), data_or_null(pre), nullptr, data_or_null(activated)};
  launch(pre, cpu::activation_forward, LONGHAUL_CUDA_KERNEL(cuda::activation_forward), arguments);
}

void gemm_gelu(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre, const at::Tensor& activated,
               const at::Tensor& bias) {
  check_gelu(a, b, pre, activated);
  if (pre.numel() == 0) return;
  const auto product = [&] { return call_cuda(LONGHAUL_CUDA_KERNEL(cuda::gemm_gelu), a, b, pre, activated, bias); };
  const auto run = [&](size_t way) {
    if (way == apart || !in_one_product(a, b, product)) gemm_gelu_apart(a, b, pre, activated, bias);
  };
  static TimedChoice choice;
  run(faster_way(choice, a, b, bias, run));
}

void gemm_gelu_gradient_apart(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre, const at::Tensor& dpre,
                              const at::Tensor& dbias) {
  check_gelu(a, b, pre, dpre);
  if (pre.numel() == 0) return;
  gemm(a, b, dpre);
  ActivationBackward arguments{shape_of(pre)};
  arguments.x = data_or_null(pre);
  arguments.dy = arguments.dx = data_or_null(dpre);
  arguments.blocks = row_blocks(pre.size(0), on_cuda(pre));
  at::Tensor partials;
  if (dbias.defined()) {
    partials = at::empty({arguments.blocks.count, pre.size(1)}, dbias.options());
    arguments.dbias = data_or_null(dbias);
    arguments.partials = data_or_null(partials);
  }
  launch(pre, cpu::activation_backward, LONGHAUL_CUDA_KERNEL(cuda::activation_backward), arguments);
}

void gemm_gelu_gradient(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre, const at::Tensor& dpre,
                        const at::Tensor& dbias) {
  check_gelu(a, b, pre, dpre);
  if (pre.numel() == 0) return;
  const auto product = [&] { return call_cuda(LONGHAUL_CUDA_KERNEL(cuda::gemm_gelu_gradient), a, b, pre, dpre); };
  const auto run = [&](size_t way, const at::Tensor& sums) {
    if (way == apart || !in_one_product(a, b, product)) {
      gemm_gelu_gradient_apart(a, b, pre, dpre, sums);
    } else if (sums.defined()) {
      add_column_sums(dpre, sums);
    }
  };
  static TimedChoice choice;
  // While it is timed, sums are added to others.
  run(faster_way(choice, a, b, dbias, [&](size_t way) { run(way, dbias.defined() ? at::empty_like(dbias) : dbias); }),
      dbias);
}

}  // namespace longhaul::ops
