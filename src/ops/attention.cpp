#include "longhaul/ops/attention.h"

#include <algorithm>

#include "longhaul/core/error.h"
#include "ops/attention_apart.h"
#include "ops/attention_cpu.h"
#include "ops/dropout_place.h"
#include "ops/gemm_avx512.h"
#include "ops/index_check.h"

namespace longhaul::ops {
namespace {

void check(const at::Tensor& qkv, const AttentionOptions& options) {
  LONGHAUL_CHECK(options.heads > 0 && options.kv_heads > 0 && options.heads % options.kv_heads == 0,
                 "{} query heads can't share {} key heads", options.heads, options.kv_heads);
  LONGHAUL_CHECK(options.head_dim > 0 && options.head_dim % 2 == 0, "head_dim {} is odd", options.head_dim);
  LONGHAUL_CHECK(qkv.dim() == 2 && qkv.size(1) == (options.heads + 2 * options.kv_heads) * options.head_dim,
                 "qkv has {} columns for {} + 2·{} heads of {}", qkv.size(-1), options.heads, options.kv_heads,
                 options.head_dim);
  const auto& borders = options.cu_seqlens;
  LONGHAUL_CHECK(!borders.empty() && borders.front() == 0 && borders.back() == qkv.size(0),
                 "cu_seqlens doesn't run from 0 to the {} tokens", qkv.size(0));
  int64_t longest = 0;
  for (size_t i = 0; i + 1 < borders.size(); ++i) {
    LONGHAUL_CHECK(borders[i] <= borders[i + 1], "cu_seqlens falls from {} to {}", borders[i], borders[i + 1]);
    longest = std::max<int64_t>(longest, borders[i + 1] - borders[i]);
  }
  LONGHAUL_CHECK(options.dropout >= 0 && options.dropout < 1, "attention dropout is {}", options.dropout);
  if (options.dropout > 0) place_for(options.dropout_key, qkv);
  if (!options.rope.defined()) return;
  LONGHAUL_CHECK(2 * options.rope.cos.size(1) <= options.head_dim, "rotary_dim {} exceeds head_dim {}",
                 2 * options.rope.cos.size(1), options.head_dim);
  if (options.positions.defined()) {
    LONGHAUL_CHECK(options.positions.numel() == qkv.size(0), "{} positions for {} tokens", options.positions.numel(),
                   qkv.size(0));
    LONGHAUL_CHECK(options.positions.scalar_type() == at::kLong, "positions are not int64");
    check_indices(Fault::position, options.positions.contiguous(), options.rope.cos.size(0));
  } else {
    LONGHAUL_CHECK(longest <= options.rope.cos.size(0), "a document of {} tokens exceeds the rotary table's {} rows",
                   longest, options.rope.cos.size(0));
  }
}

}  // namespace

at::Tensor attention(const at::Tensor& qkv, const AttentionOptions& options) {
  check(qkv, options);
  const at::Tensor input = qkv.contiguous();
  if (input.is_cpu() && (input.scalar_type() == at::kFloat || input.scalar_type() == at::kBFloat16)) {
    if (avx512::supported(false))
      return attention_cpu(input, options, avx512::attention_kernel(avx512::supported(true)));
    if (avx2::supported()) return attention_cpu(input, options, avx2::attention_kernel());
  }
  return attention_apart(input, options);
}

}  // namespace longhaul::ops
