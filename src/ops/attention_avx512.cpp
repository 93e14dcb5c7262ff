#include "ops/aligned_buffer.h"
#include "ops/attention_cpu.h"
#include "ops/gemm_avx512.h"
#include "ops/parallel_tasks.h"
#include "ops/tile_avx512.h"

LONGHAUL_AVX512_BEGIN

namespace longhaul::ops::avx512 {
namespace {

#include "ops/attention_rows.inl"

#include "ops/attention_forward.inl"

#include "ops/attention_backward.inl"

}  // namespace

void attention_forward(const AttentionArguments& arguments) {
  if (!arguments.bf16) {
    forward<float, Units::fp32>(arguments);
  } else if (supported(true)) {
    forward<Bf16Bits, Units::bf16_pairs>(arguments);
  } else {
    forward<Bf16Bits, Units::fp32>(arguments);
  }
}

void attention_backward(const AttentionArguments& arguments) {
  if (!arguments.bf16) {
    backward<float, Units::fp32>(arguments);
  } else if (supported(true)) {
    backward<Bf16Bits, Units::bf16_pairs>(arguments);
  } else {
    backward<Bf16Bits, Units::fp32>(arguments);
  }
}

}  // namespace longhaul::ops::avx512

LONGHAUL_AVX512_END
