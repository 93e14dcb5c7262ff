#include "ops/gemm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>

#include "longhaul/core/error.h"

namespace longhaul::ops {
namespace {

void gemm_aten(const at::Tensor& a, const at::Tensor& b, at::Tensor out, GemmMode mode, const at::Tensor& bias) {
  const bool widen = out.scalar_type() != a.scalar_type();
  if (a.is_cpu() && a.scalar_type() == at::kBFloat16) {
    // Without BF16 instructions the FP32 product is both faster and more exact.
    const at::Tensor product = at::mm(a.to(at::kFloat), b.to(at::kFloat));
    if (mode == GemmMode::accumulate) {
      out.add_(product);
    } else {
      out.copy_(bias.defined() ? product + bias : product);
    }
  } else if (mode == GemmMode::accumulate) {
    if (widen) {
      out.add_(at::mm(a, b, at::kFloat));
    } else {
      at::addmm_out(out, out, a, b);
    }
  } else if (widen) {
    at::mm_out(out, a, b, at::kFloat);
    if (bias.defined()) out.add_(bias);
  } else if (bias.defined()) {
    at::addmm_out(out, bias, a, b);
  } else {
    at::mm_out(out, a, b);
  }
}

}  // namespace

void gemm(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out, GemmMode mode, const at::Tensor& bias) {
  LONGHAUL_CHECK(a.dim() == 2 && b.dim() == 2 && out.dim() == 2, "gemm takes matrices");
  LONGHAUL_CHECK(a.size(1) == b.size(0) && out.size(0) == a.size(0) && out.size(1) == b.size(1),
                 "gemm of [{}, {}] and [{}, {}] into [{}, {}]", a.size(0), a.size(1), b.size(0), b.size(1), out.size(0),
                 out.size(1));
  LONGHAUL_CHECK(a.scalar_type() == b.scalar_type(), "gemm of {} and {}", c10::toString(a.scalar_type()),
                 c10::toString(b.scalar_type()));
  LONGHAUL_CHECK(out.scalar_type() == a.scalar_type() || out.scalar_type() == at::kFloat, "gemm into {}",
                 c10::toString(out.scalar_type()));
  if (out.numel() == 0) return;
  gemm_aten(a, b, out, mode, bias);
}

void add_column_sums(const at::Tensor& x, const at::Tensor& out) {
  if (x.numel() == 0) return;
  at::Tensor target = out;
  target.add_(at::sum(x, 0, false, out.scalar_type()));
}

}  // namespace longhaul::ops
