#include "ops/aligned_buffer.h"
#include "ops/attention_cpu.h"
#include "ops/parallel_tasks.h"
#include "ops/tile_avx512.h"

LONGHAUL_AVX512_BEGIN

namespace longhaul::ops::avx512 {
namespace {

// Each builds on the one before.
// clang-format off
#include "ops/attention_rows.inl"
#include "ops/attention_forward.inl"
#include "ops/attention_backward.inl"
// clang-format on

// kBf16Units is how the products of BF16 tensors are computed.
template <Units kBf16Units>
void forward_any(const AttentionArguments& g) {
  g.bf16 ? forward<Bf16Bits, kBf16Units>(g) : forward<float, Units::fp32>(g);
}

template <Units kBf16Units>
void backward_any(const AttentionArguments& g) {
  g.bf16 ? backward<Bf16Bits, kBf16Units>(g) : backward<float, Units::fp32>(g);
}

}  // namespace

AttentionKernel attention_kernel(bool bf16_instructions) {
  if (!bf16_instructions) return {&forward_any<Units::fp32>, &backward_any<Units::fp32>};
  return {&forward_any<Units::bf16_pairs>, &backward_any<Units::bf16_pairs>};
}

}  // namespace longhaul::ops::avx512

LONGHAUL_AVX512_END
