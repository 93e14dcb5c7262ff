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

// The faster of both, each run by run(way), which may leave anything where the result goes, and throws for a way that
// isn't there.
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

void require_product(bool is_there, const at::Tensor& a, const at::Tensor& b) {
  if (!is_there) throw EnvironmentError("cuBLASLt has no product of {} by {} with GELU in it", a.size(0), b.size(1));
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
  const auto timed = [&](size_t way) {
    if (way == apart) return gemm_gelu_apart(a, b, pre, activated, bias);
    require_product(in_one_product(a, b, product), a, b);
  };
  static TimedChoice choice;
  const size_t way = faster_way(choice, a, b, bias, timed);
  // Of the same shape there may be none at another alignment.
  if (way == apart || !in_one_product(a, b, product)) gemm_gelu_apart(a, b, pre, activated, bias);
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
  // False where there is none.
  const auto fused = [&](const at::Tensor& sums) {
    if (!in_one_product(a, b, product)) return false;
    if (sums.defined()) add_column_sums(dpre, sums);
    return true;
  };
  const auto timed = [&](size_t way) {
    const at::Tensor sums = dbias.defined() ? at::empty_like(dbias) : dbias;  // not yet to be added to
    if (way == apart) return gemm_gelu_gradient_apart(a, b, pre, dpre, sums);
    require_product(fused(sums), a, b);
  };
  static TimedChoice choice;
  const size_t way = faster_way(choice, a, b, dbias, timed);
  if (way == apart || !fused(dbias)) gemm_gelu_gradient_apart(a, b, pre, dpre, dbias);
}

}  // namespace longhaul::ops
