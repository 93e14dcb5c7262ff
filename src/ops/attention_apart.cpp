#include "ops/attention_apart.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <optional>

#include "ops/device_borders.h"
#include "ops/dispatch.h"
#include "ops/rotary_kernels.h"

namespace longhaul::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Documents documents_of(const AttentionOptions& options, c10::Device device) {
  Documents documents{options.cu_seqlens, borders_on(options.cu_seqlens, device)};
  bool alike = true;
  for (int64_t d = 0; d < documents.count(); ++d) {
    const int64_t length = options.cu_seqlens[d + 1] - options.cu_seqlens[d];
    alike = alike && length == options.cu_seqlens[1] - options.cu_seqlens[0];
    documents.longest = std::max(documents.longest, length);
  }
  documents.common_length = alike ? documents.longest : 0;
  return documents;
}

// Moves between `qkv` and q, k and v; `back` is for gradients.
void rotary(bool back, const at::Tensor& qkv, const AttentionInputs& apart, const AttentionOptions& options,
            const Documents& documents) {
  const at::Tensor positions = options.positions.defined() ? options.positions.contiguous() : at::Tensor();
  RotaryArguments a;
  a.type = element_type(qkv);
  a.back = back;
  a.tokens = qkv.size(0);
  a.kv_heads = options.kv_heads;
  a.per_group = options.heads / options.kv_heads;
  a.head_dim = options.head_dim;
  at::Tensor cos, sin;
  if (options.rope.defined()) {
    cos = options.rope.cos.contiguous();
    sin = options.rope.sin.contiguous();
    a.rotary_half = cos.size(1);
    a.table_rows = cos.size(0);
    a.cos = cos.const_data_ptr<float>();
    a.sin = sin.const_data_ptr<float>();
  }
  a.positions = data_or_null<const int64_t>(positions);
  a.borders = documents.on_device.const_data_ptr<int32_t>();
  a.documents = documents.count();
  a.qkv = qkv.mutable_data_ptr();
  a.q = apart.q.mutable_data_ptr();
  a.k = apart.k.mutable_data_ptr();
  a.v = apart.v.mutable_data_ptr();
  a.q_stride = apart.q.stride(0);
  a.k_stride = apart.k.stride(0);
  a.v_stride = apart.v.stride(0);
  launch(qkv, cpu::rotary, LONGHAUL_CUDA_KERNEL(cuda::rotary), a);
}

// q, k and v as views of one tensor, which takes as much memory as qkv did.
AttentionInputs inputs_in(const at::Tensor& memory, const AttentionOptions& options) {
  return {memory.narrow(1, 0, options.heads), memory.narrow(1, options.heads, options.kv_heads),
          memory.narrow(1, options.heads + options.kv_heads, options.kv_heads)};
}

struct SavedCall : torch::CustomClassHolder {
  SavedCall(const AttentionOptions& options, const Documents& documents, const AttentionCore& core)
      : options(options), documents(documents), core(core) {}
  AttentionOptions options;
  Documents documents;
  AttentionCore core;
};

// Tensors of the outputs that may be undefined are kept as such.
class AttentionFunction : public torch::autograd::Function<AttentionFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv, const AttentionOptions& options,
                            const std::optional<AttentionCore>& chosen) {
    const Documents documents = documents_of(options, qkv.device());
    const at::Tensor memory =
        at::empty({qkv.size(0), options.heads + 2 * options.kv_heads, options.head_dim}, qkv.options());
    const AttentionInputs in = inputs_in(memory, options);
    rotary(/*back=*/false, qkv, in, options, documents);
    const AttentionCore core = chosen ? *chosen : choose(in, options, documents);
    const AttentionOutputs outputs = core.forward(in, options, documents);
    const at::Tensor flat = outputs.out.reshape({qkv.size(0), options.heads * options.head_dim});
    variable_list saved = {memory, flat};
    saved.insert(saved.end(), outputs.saved.begin(), outputs.saved.end());
    context->save_for_backward(saved);
    context->saved_data["call"] = c10::IValue::make_capsule(c10::make_intrusive<SavedCall>(options, documents, core));
    return flat;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const variable_list saved = context->get_saved_variables();
    const auto capsule = context->saved_data["call"].toCapsule();
    const auto& call = static_cast<const SavedCall&>(*capsule);
    const AttentionOptions& options = call.options;
    const auto heads_apart = [&](const at::Tensor& x) { return x.view({x.size(0), options.heads, options.head_dim}); };
    const AttentionOutputs outputs{heads_apart(saved[1]), {saved.begin() + 2, saved.end()}};
    const AttentionInputs gradient = call.core.backward(heads_apart(gradients[0].contiguous()),
                                                        inputs_in(saved[0], options), outputs, options, call.documents);
    const at::Tensor dqkv =
        at::empty({saved[0].size(0), (options.heads + 2 * options.kv_heads) * options.head_dim}, saved[0].options());
    rotary(/*back=*/true, dqkv, gradient, options, call.documents);
    return {dqkv, {}, {}};
  }

 private:
  static AttentionCore choose(const AttentionInputs& in, const AttentionOptions& options, const Documents& documents) {
    const bool fused = in.q.is_cuda() && fused_cores_take(in.q.scalar_type(), options, documents);
    return fused ? fastest_core(in, options, documents) : blocks_core();
  }
};

at::Tensor attend(const at::Tensor& qkv, const AttentionOptions& options, const std::optional<AttentionCore>& core) {
  if (qkv.size(0) == 0) return qkv.narrow(1, 0, options.heads * options.head_dim).clone();
  return AttentionFunction::apply(qkv, options, core);
}

}  // namespace

at::Tensor attention_apart(const at::Tensor& qkv, const AttentionOptions& options) {
  return attend(qkv, options, {});
}

at::Tensor attention_apart(const at::Tensor& qkv, const AttentionOptions& options, const AttentionCore& core) {
  return attend(qkv, options, core);
}

}  // namespace longhaul::ops
