#include "ops/attention_cpu.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <vector>
#include "ops/profile_scope.h"

namespace longhaul::ops {
namespace {

// What the CPU kernels take, and the memory that its pointers point to.
class CpuCall {
 public:
  CpuCall(const at::Tensor& qkv, const AttentionOptions& options)
      : positions_(options.positions.defined() ? options.positions.contiguous() : at::Tensor()),
        dropout_(options.dropout, options.dropout_key, options.first_head, options.heads) {
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

struct SavedCall : torch::CustomClassHolder {
  SavedCall(const AttentionOptions& options, const AttentionKernel& kernel) : options(options), kernel(kernel) {}
  AttentionOptions options;
  AttentionKernel kernel;
};

class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* context, const at::Tensor& qkv,
                            const AttentionOptions& options, const AttentionKernel& kernel) {
    const at::Tensor out = at::empty({qkv.size(0), options.heads * options.head_dim}, qkv.options());
    const at::Tensor maxima = at::empty({options.heads, qkv.size(0)}, qkv.options().dtype(at::kFloat));
    const at::Tensor inverse_sums = at::empty_like(maxima);
    CpuCall call(qkv, options);
    call.arguments.out = out.mutable_data_ptr();
    call.arguments.maxima = maxima.mutable_data_ptr<float>();
    call.arguments.inverse_sums = inverse_sums.mutable_data_ptr<float>();
    {
      const OperatorScope scope("attention_forward");
      kernel.forward(call.arguments);
    }
    context->save_for_backward({qkv, out, maxima, inverse_sums});
    context->saved_data["call"] = c10::IValue::make_capsule(c10::make_intrusive<SavedCall>(options, kernel));
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 const torch::autograd::variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const auto capsule = context->saved_data["call"].toCapsule();
    const auto& saved_call = static_cast<const SavedCall&>(*capsule);
    const at::Tensor dout = gradients[0].contiguous();
    const at::Tensor dqkv = at::empty_like(saved[0]);
    CpuCall call(saved[0], saved_call.options);
    call.arguments.out = const_cast<void*>(saved[1].const_data_ptr());  // only read
    call.arguments.maxima = saved[2].mutable_data_ptr<float>();
    call.arguments.inverse_sums = saved[3].mutable_data_ptr<float>();
    call.arguments.dout = dout.const_data_ptr();
    call.arguments.dqkv = dqkv.mutable_data_ptr();
    {
      const OperatorScope scope("attention_backward");
      saved_call.kernel.backward(call.arguments);
    }
    return {dqkv, {}, {}};
  }
};

}  // namespace

at::Tensor attention_cpu(const at::Tensor& qkv, const AttentionOptions& options, const AttentionKernel& kernel) {
  return AttentionFunction::apply(qkv, options, kernel);
}

}  // namespace longhaul::ops
