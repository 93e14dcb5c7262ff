#include "ops/aligned_buffer.h"
#include "ops/attention_cpu.h"
#include "ops/parallel_tasks.h"
#include "ops/tile_avx2.h"

LONGHAUL_AVX2_BEGIN

namespace longhaul::ops::avx2 {
namespace {

#include "ops/attention_rows.inl"

#include "ops/attention_forward.inl"

#include "ops/attention_backward.inl"

}  // namespace

void attention_forward(const AttentionArguments& arguments) {
  arguments.bf16 ? forward<Bf16Bits, Units::fp32>(arguments) : forward<float, Units::fp32>(arguments);
}

void attention_backward(const AttentionArguments& arguments) {
  arguments.bf16 ? backward<Bf16Bits, Units::fp32>(arguments) : backward<float, Units::fp32>(arguments);
}

}  // namespace longhaul::ops::avx2

LONGHAUL_AVX2_END
