// LibTorch's fused attention kernels, called below its autograd: FlashAttention 2 (Dao, 2023) and cuDNN's.
#include <ATen/Context.h>
#include <ATen/ops/_flash_attention_backward.h>
#include <ATen/ops/_flash_attention_forward.h>
#include <ATen/ops/_scaled_dot_product_cudnn_attention.h>
#include <ATen/ops/_scaled_dot_product_cudnn_attention_backward.h>

#include <tuple>

#include "longhaul/ops/fused_attention.h"
#include "ops/attention_core.h"
#include "ops/timed_choice.h"

namespace longhaul::ops {
namespace {

// FlashAttention, documents packed: what it saves is {log-sums, random state, unused}.

AttentionOutputs flash_forward(const AttentionInputs& in, const AttentionOptions& options, const Documents& documents) {
  const auto [out, log_sums, random_state, unused, mask] = at::_flash_attention_forward(
      in.q, in.k, in.v, documents.on_device, documents.on_device, documents.longest, documents.longest,
      /*dropout_p=*/0.0, /*is_causal=*/true,
      /*return_debug_mask=*/false, options.scale);
  return {out, {log_sums, random_state, unused}};
}

AttentionInputs flash_backward(const at::Tensor& dout, const AttentionInputs& in, const AttentionOutputs& forward,
                               const AttentionOptions& options, const Documents& documents) {
  const auto [dq, dk, dv] =
      at::_flash_attention_backward(dout, in.q, in.k, in.v, forward.out, forward.saved[0], documents.on_device,
                                    documents.on_device, documents.longest, documents.longest, /*dropout_p=*/0.0,
                                    /*is_causal=*/true, forward.saved[1], forward.saved[2], options.scale);
  return {dq.contiguous(), dk.contiguous(), dv.contiguous()};
}

// cuDNN, a batch of documents of one length: what it saves is {log-sums, seed, offset}.

// [documents, heads, length, head_dim] of [tokens, heads, head_dim], and back.
at::Tensor as_batch(const at::Tensor& x, const Documents& documents) {
  return x.unflatten(0, {documents.count(), documents.common_length}).transpose(1, 2);
}
at::Tensor as_tokens(const at::Tensor& x) {
  return x.transpose(1, 2).flatten(0, 1).contiguous();
}

AttentionOutputs cudnn_forward(const AttentionInputs& in, const AttentionOptions& options, const Documents& documents) {
  const auto result = at::_scaled_dot_product_cudnn_attention(
      as_batch(in.q, documents), as_batch(in.k, documents), as_batch(in.v, documents), /*attn_bias=*/std::nullopt,
      /*compute_log_sumexp=*/true, /*dropout_p=*/0.0,
      /*is_causal=*/true, /*return_debug_mask=*/false, options.scale);
  return {as_tokens(std::get<0>(result)), {std::get<1>(result), std::get<6>(result), std::get<7>(result)}};
}

AttentionInputs cudnn_backward(const at::Tensor& dout, const AttentionInputs& in, const AttentionOutputs& forward,
                               const AttentionOptions& options, const Documents& documents) {
  const auto [dq, dk, dv] = at::_scaled_dot_product_cudnn_attention_backward(
      as_batch(dout, documents), as_batch(in.q, documents), as_batch(in.k, documents), as_batch(in.v, documents),
      as_batch(forward.out, documents), forward.saved[0], forward.saved[1], forward.saved[2], /*attn_bias=*/{},
      /*cum_seq_q=*/{}, /*cum_seq_k=*/{}, documents.common_length, documents.common_length, /*dropout_p=*/0.0,
      /*is_causal=*/true, options.scale);
  return {as_tokens(dq), as_tokens(dk), as_tokens(dv)};
}

}  // namespace

AttentionCore flash_core() {
  return {flash_forward, flash_backward};
}
AttentionCore cudnn_core() {
  return {cudnn_forward, cudnn_backward};
}

bool fused_cores_take(at::ScalarType type, const AttentionOptions& options, const Documents& documents) {
  return takes_fused_attention(type == at::kBFloat16, options.head_dim, options.dropout) && documents.longest > 1;
}

AttentionCore fastest_core(const AttentionInputs& in, const AttentionOptions& options, const Documents& documents) {
  if (documents.common_length == 0 || at::globalContext().deterministicAlgorithms()) return flash_core();
  static TimedChoice choices;
  const AttentionCore cores[] = {flash_core(), cudnn_core()};
  const size_t fastest = choices.fastest(
      in.q.device(), {options.heads, options.kv_heads, options.head_dim, documents.count(), documents.common_length},
      std::size(cores), [&](size_t candidate) {
        const AttentionOutputs outputs = cores[candidate].forward(in, options, documents);
        cores[candidate].backward(outputs.out, in, outputs, options, documents);
      });
  return cores[fastest];
}

}  // namespace longhaul::ops
