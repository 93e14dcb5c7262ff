#include "ops/gemm.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>

#include "longhaul/core/error.h"
#include "ops/column_sums_cpu.h"
#include "ops/dispatch.h"
#include "ops/gemm_avx512.h"
#include "ops/gemm_cuda.h"
#include "ops/profile_scope.h"

namespace longhaul::ops {
namespace {

// A matrix that the AVX-512 product takes: one of its strides is 1 (or doesn't matter).
bool is_plain(const at::Tensor& x) {
  return x.stride(0) == 1 || x.stride(1) == 1;
}

avx512::MatrixView view(const at::Tensor& x) {
  return {x.const_data_ptr(), x.stride(0), x.stride(1)};
}

bool runs_on_avx512(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out) {
  const at::ScalarType type = a.scalar_type();
  return a.is_cpu() && (type == at::kFloat || type == at::kBFloat16) && avx512::supported(type == at::kBFloat16) &&
         is_plain(a) && is_plain(b) && out.stride(1) == 1 && a.size(1) > 0;
}

void gemm_avx512(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out, GemmMode mode,
                 const at::Tensor& bias) {
  avx512::GemmArguments arguments{};
  arguments.m = a.size(0);
  arguments.n = b.size(1);
  arguments.k = a.size(1);
  arguments.a = view(a);
  arguments.b = view(b);
  arguments.bf16 = a.scalar_type() == at::kBFloat16;
  arguments.out = out.mutable_data_ptr();
  arguments.out_stride = out.stride(0);
  arguments.out_bf16 = out.scalar_type() == at::kBFloat16;
  arguments.accumulate = mode == GemmMode::accumulate;
  arguments.bias = bias.defined() ? bias.const_data_ptr() : nullptr;
  avx512::gemm(arguments);
}

}  // namespace

void gemm_generic(const at::Tensor& a, const at::Tensor& b, const at::Tensor& target, GemmMode mode,
                  const at::Tensor& bias) {
  at::Tensor out = target;
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

void check_gemm(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out) {
  LONGHAUL_CHECK(a.dim() == 2 && b.dim() == 2 && out.dim() == 2, "gemm takes matrices");
  LONGHAUL_CHECK(a.size(1) == b.size(0) && out.size(0) == a.size(0) && out.size(1) == b.size(1),
                 "gemm of [{}, {}] and [{}, {}] into [{}, {}]", a.size(0), a.size(1), b.size(0), b.size(1), out.size(0),
                 out.size(1));
  LONGHAUL_CHECK(a.scalar_type() == b.scalar_type(), "gemm of {} and {}", c10::toString(a.scalar_type()),
                 c10::toString(b.scalar_type()));
  LONGHAUL_CHECK(out.scalar_type() == a.scalar_type() || out.scalar_type() == at::kFloat, "gemm into {}",
                 c10::toString(out.scalar_type()));
}

void gemm(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out, GemmMode mode, const at::Tensor& bias) {
  check_gemm(a, b, out);
  if (out.numel() == 0) return;
  const OperatorScope scope([&] { return gemm_span(out.size(0), out.size(1), a.size(1)); });
  LONGHAUL_CHECK(mode == GemmMode::overwrite || (!bias.defined() && out.scalar_type() != at::kBFloat16),
                 "a product is added to FP32 or FP64, without a bias");
  if (runs_on_avx512(a, b, out)) return gemm_avx512(a, b, out, mode, bias);
  if (on_cuda(a) && call_cuda(LONGHAUL_CUDA_KERNEL(cuda::gemm), a, b, out, mode == GemmMode::accumulate, bias)) return;
  gemm_generic(a, b, out, mode, bias);
}

void add_column_sums(const at::Tensor& x, const at::Tensor& out) {
  if (x.numel() == 0) return;
  const OperatorScope scope("column_sums");
  if (x.is_cpu()) {
    cpu::add_column_sums(element_type(x), x.const_data_ptr(), x.size(0), x.size(1), out.mutable_data_ptr());
    return;
  }
  at::Tensor target = out;
  target.add_(at::sum(x, 0, false, out.scalar_type()));
}

}  // namespace longhaul::ops
