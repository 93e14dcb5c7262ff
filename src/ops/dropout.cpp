#include "longhaul/ops/dropout.h"

#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <bit>
#include <cmath>

#include "longhaul/core/error.h"
#include "longhaul/core/random.h"
#include "ops/dispatch.h"
#include "ops/dropout_kernels.h"

namespace longhaul::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What names the mask, as backward keeps it; no tensor among it.
struct Mask {
  PhiloxKey key;
  uint64_t step;
  uint64_t first;
  double probability;
};

at::Tensor apply_mask(const at::Tensor& x, const Mask& mask) {
  const at::Tensor y = at::empty_like(x);
  DropoutArguments arguments;
  arguments.type = element_type(x);
  arguments.count = x.numel();
  arguments.x = data_or_null(x);
  arguments.y = data_or_null(y);
  arguments.key = mask.key;
  arguments.step = mask.step;
  arguments.first = mask.first;
  arguments.threshold = static_cast<uint32_t>(std::ceil(mask.probability * 0x1p24));
  arguments.scale = 1 / (1 - mask.probability);
  if (x.numel() > 0) launch(x, cpu::dropout, LONGHAUL_CUDA_KERNEL(cuda::dropout), arguments);
  return y;
}

struct DropoutFunction : torch::autograd::Function<DropoutFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const Mask& mask) {
    context->saved_data["key"] = std::bit_cast<int64_t>(mask.key);
    context->saved_data["step"] = static_cast<int64_t>(mask.step);
    context->saved_data["first"] = static_cast<int64_t>(mask.first);
    context->saved_data["probability"] = mask.probability;
    return apply_mask(x.contiguous(), mask);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    auto& saved = context->saved_data;
    const Mask mask{std::bit_cast<PhiloxKey>(saved["key"].toInt()), static_cast<uint64_t>(saved["step"].toInt()),
                    static_cast<uint64_t>(saved["first"].toInt()), saved["probability"].toDouble()};
    return {apply_mask(gradients[0].contiguous(), mask), {}};
  }
};

}  // namespace

at::Tensor dropout(const at::Tensor& x, double probability, const DropoutKey& key) {
  LONGHAUL_CHECK(x.dim() == 2, "dropout takes [tokens, hidden], not {} dimensions", x.dim());
  LONGHAUL_CHECK(probability >= 0 && probability < 1, "the probability of dropout is {}, not in [0, 1)", probability);
  if (probability == 0) return x;
  const Mask mask{RandomStream(key.seed, key.site).key(), key.step, key.first_token * static_cast<uint64_t>(x.size(1)),
                  probability};
  return DropoutFunction::apply(x, mask);
}

}  // namespace longhaul::ops
