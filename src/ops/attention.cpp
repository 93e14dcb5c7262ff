#include "longhaul/ops/attention.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "longhaul/core/error.h"
#include "ops/attention_cpu.h"
#include "ops/attention_generic.h"
#include "ops/gemm_avx512.h"

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
  if (!options.rope.defined()) return;
  LONGHAUL_CHECK(2 * options.rope.cos.size(1) <= options.head_dim, "rotary_dim {} exceeds head_dim {}",
                 2 * options.rope.cos.size(1), options.head_dim);
  if (options.positions.defined()) {
    LONGHAUL_CHECK(options.positions.numel() == qkv.size(0), "{} positions for {} tokens", options.positions.numel(),
                   qkv.size(0));
  } else {
    LONGHAUL_CHECK(longest <= options.rope.cos.size(0), "a document of {} tokens exceeds the rotary table's {} rows",
                   longest, options.rope.cos.size(0));
  }
}

// What the CPU kernels take, and the memory that its pointers point to.
class CpuCall {
 public:
  CpuCall(const at::Tensor& qkv, const AttentionOptions& options)
      : positions_(options.positions.defined() ? options.positions.contiguous() : at::Tensor()),
        dropout_(options.dropout, options.dropout_key, options.heads) {
    if (options.rope.defined()) {
      cos_ = options.rope.cos.contiguous();
      sin_ = options.rope.sin.contiguous();
      arguments.rotary_half = cos_.size(1);
      arguments.cos = cos_.const_data_ptr<float>();
      arguments.sin = sin_.const_data_ptr<float>();
    }
    if (positions_.defined()) arguments.positions = positions_.const_data_ptr<int64_t>();
    if (dropout_.active()) arguments.dropout = &dropout_;
    for (size_t i = 0; i + 1 < options.cu_seqlens.size(); ++i) {
      const int64_t first = options.cu_seqlens[i], length = options.cu_seqlens[i + 1] - first;
      if (length == 0) continue;
      documents_.push_back({first, length, arguments.padded_rows});
      for (int64_t query = 0; query < length; query += kQuerySpan) {
        tasks_.push_back({static_cast<int64_t>(documents_.size()) - 1, query});
        arguments.padded_rows += kQuerySpan;
      }
    }
    arguments.tokens = qkv.size(0);
    arguments.heads = options.heads;
    arguments.kv_heads = options.kv_heads;
    arguments.head_dim = options.head_dim;
    arguments.scale = static_cast<float>(options.scale);
    arguments.documents = documents_.data();
    arguments.document_count = static_cast<int64_t>(documents_.size());
    arguments.tasks = tasks_.data();
    arguments.task_count = static_cast<int64_t>(tasks_.size());
    arguments.bf16 = qkv.scalar_type() == at::kBFloat16;
    arguments.qkv = qkv.const_data_ptr();
  }
  CpuCall(const CpuCall&) = delete;
  CpuCall& operator=(const CpuCall&) = delete;

  AttentionArguments arguments{};

 private:
  at::Tensor positions_, cos_, sin_;
  AttentionDropout dropout_;
  std::vector<AttentionDocument> documents_;
  std::vector<AttentionTask> tasks_;
};

bool has_cpu_kernel(const at::Tensor& qkv) {
  static const bool has_avx2 = __builtin_cpu_supports("x86-64-v3") > 0;
  return qkv.is_cpu() && has_avx2 && (qkv.scalar_type() == at::kFloat || qkv.scalar_type() == at::kBFloat16);
}

struct SavedOptions : torch::CustomClassHolder {
  explicit SavedOptions(const AttentionOptions& options) : options(options) {}
  AttentionOptions options;
};

class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& qkv,
                            const AttentionOptions& options) {
    const at::Tensor out = at::empty({qkv.size(0), options.heads * options.head_dim}, qkv.options());
    const at::Tensor maxima = at::empty({options.heads, qkv.size(0)}, qkv.options().dtype(at::kFloat));
    const at::Tensor inverse_sums = at::empty_like(maxima);
    CpuCall call(qkv, options);
    call.arguments.out = out.mutable_data_ptr();
    call.arguments.maxima = maxima.mutable_data_ptr<float>();
    call.arguments.inverse_sums = inverse_sums.mutable_data_ptr<float>();
    avx512::supported(false) ? avx512::attention_forward(call.arguments) : avx2::attention_forward(call.arguments);
    context->save_for_backward({qkv, out, maxima, inverse_sums});
    context->saved_data["options"] = c10::IValue::make_capsule(c10::make_intrusive<SavedOptions>(options));
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto capsule = context->saved_data["options"].toCapsule();
    const at::Tensor dout = gradients[0].contiguous();
    const at::Tensor dqkv = at::empty_like(saved[0]);
    CpuCall call(saved[0], static_cast<const SavedOptions&>(*capsule).options);
    call.arguments.out = const_cast<void*>(saved[1].const_data_ptr());  // only read
    call.arguments.maxima = saved[2].mutable_data_ptr<float>();
    call.arguments.inverse_sums = saved[3].mutable_data_ptr<float>();
    call.arguments.dout = dout.const_data_ptr();
    call.arguments.dqkv = dqkv.mutable_data_ptr();
    avx512::supported(false) ? avx512::attention_backward(call.arguments) : avx2::attention_backward(call.arguments);
    return {dqkv, {}};
  }
};

}  // namespace

at::Tensor attention(const at::Tensor& qkv, const AttentionOptions& options) {
  check(qkv, options);
  const at::Tensor input = qkv.contiguous();
  return has_cpu_kernel(input) ? AttentionFunction::apply(input, options) : attention_generic(input, options);
}

}  // namespace longhaul::ops
