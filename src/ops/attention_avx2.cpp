#include "ops/aligned_buffer.h"
#include "ops/attention_cpu.h"
#include "ops/parallel_tasks.h"
#include "ops/tile_avx2.h"

LONGHAUL_AVX2_BEGIN

namespace longhaul::ops::avx2 {
namespace {

// Each builds on the one before.
// clang-format off
#include "ops/attention_rows.inl"
#include "ops/attention_forward.inl"
#include "ops/attention_backward.inl"
// clang-format on

void forward_any(const AttentionArguments& g) {
  g.bf16 ? forward<Bf16Bits, Units::fp32>(g) : forward<float, Units::fp32>(g);
}

void backward_any(const AttentionArguments& g) {
  g.bf16 ? backward<Bf16Bits, Units::fp32>(g) : backward<float, Units::fp32>(g);
}

}  // namespace

AttentionKernel attention_kernel() {
  return {&forward_any, &backward_any};
}

}  // namespace longhaul::ops::avx2

LONGHAUL_AVX2_END

namespace longhaul::ops::avx2 {

bool supported() {
  static const bool supported = __builtin_cpu_supports("x86-64-v3") > 0;
  return supported;
}

}  // namespace longhaul::ops::avx2
