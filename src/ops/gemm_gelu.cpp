#include "ops/gemm_gelu.h"

#include <ATen/Context.h>

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

// Calls apart(), or one_product(), which says whether there is such a way, where that was faster.
template <typename OneProduct, typename Apart>
void run_faster(TimedChoice& choice, const at::Tensor& a, const at::Tensor& b, bool has_bias,
                const OneProduct& one_product, const Apart& apart) {
  if (!on_cuda(a) || at::globalContext().deterministicAlgorithms()) return apart();
  const auto run = [&](size_t way) {
    if (way == 1) {
      const OperatorScope scope([&] { return gemm_span(a.size(0), b.size(1), a.size(1)); });
      if (one_product()) return;
    }
    apart();
  };
  const std::vector<int64_t> shape = {
      a.size(0), b.size(1), a.size(1), a.stride(0), b.stride(0), static_cast<int64_t>(a.scalar_type()), has_bias};
  run(choice.fastest(a.device(), shape, 2, run));
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
  static TimedChoice choice;
  run_faster(
      choice, a, b, bias.defined(),
      [&] { return call_cuda(LONGHAUL_CUDA_KERNEL(cuda::gemm_gelu), a, b, pre, activated, bias); },
      [&] { gemm_gelu_apart(a, b, pre, activated, bias); });
}

void gemm_gelu_gradient_apart(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre, const at::Tensor& dpre) {
  check_gelu(a, b, pre, dpre);
  if (pre.numel() == 0) return;
  gemm(a, b, dpre);
  ActivationBackward arguments{shape_of(pre)};
  arguments.x = data_or_null(pre);
  arguments.dy = arguments.dx = data_or_null(dpre);
  arguments.blocks = row_blocks(pre.size(0), on_cuda(pre));
  launch(pre, cpu::activation_backward, LONGHAUL_CUDA_KERNEL(cuda::activation_backward), arguments);
}

void gemm_gelu_gradient(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre, const at::Tensor& dpre) {
  check_gelu(a, b, pre, dpre);
  if (pre.numel() == 0) return;
  static TimedChoice choice;
  run_faster(
      choice, a, b, false, [&] { return call_cuda(LONGHAUL_CUDA_KERNEL(cuda::gemm_gelu_gradient), a, b, pre, dpre); },
      [&] { gemm_gelu_gradient_apart(a, b, pre, dpre); });
}

}  // namespace longhaul::ops
