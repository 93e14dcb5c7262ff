#include "longhaul/ops/dropout.h"

#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <bit>
#include <cmath>

#include "longhaul/core/error.h"
#include "longhaul/core/random.h"
#include "ops/dispatch.h"
#include "ops/dropout_kernels.h"
#include "ops/dropout_place.h"
#include "ops/upload.h"

namespace longhaul::ops {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What names the mask beside its place, as backward keeps it; no tensor among it.
struct Mask {
  PhiloxKey key;
  uint64_t first_token;
  double probability;
};

at::Tensor apply_mask(const at::Tensor& x, const at::Tensor& place, const Mask& mask) {
  const at::Tensor y = at::empty_like(x);
  DropoutArguments arguments;
  arguments.type = element_type(x);
  arguments.count = x.numel();
  arguments.x = data_or_null(x);
  arguments.y = data_or_null(y);
  arguments.key = mask.key;
  arguments.place = place.const_data_ptr<int64_t>();
  arguments.first_token = mask.first_token;
  arguments.columns = x.size(1);
  arguments.threshold = static_cast<uint32_t>(std::ceil(mask.probability * 0x1p24));
  arguments.scale = 1 / (1 - mask.probability);
  if (x.numel() > 0) launch(x, cpu::dropout, LONGHAUL_CUDA_KERNEL(cuda::dropout), arguments);
  return y;
}

struct DropoutFunction : torch::autograd::Function<DropoutFunction> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& place, const Mask& mask) {
    context->save_for_backward({place});
    context->saved_data["key"] = std::bit_cast<int64_t>(mask.key);
    context->saved_data["first_token"] = static_cast<int64_t>(mask.first_token);
    context->saved_data["probability"] = mask.probability;
    return apply_mask(x.contiguous(), place, mask);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    auto& saved = context->saved_data;
    const Mask mask{std::bit_cast<PhiloxKey>(saved["key"].toInt()), static_cast<uint64_t>(saved["first_token"].toInt()),
                    saved["probability"].toDouble()};
    return {apply_mask(gradients[0].contiguous(), context->get_saved_variables()[0], mask), {}, {}};
  }
};

}  // namespace

at::Tensor dropout_place(int64_t step, int64_t first_token, c10::Device device) {
  return upload<int64_t>({step, first_token}, device);
}

const int64_t* place_for(const DropoutKey& key, const at::Tensor& x) {
  const at::Tensor& place = key.place;
  LONGHAUL_CHECK(place.defined() && place.device() == x.device() && place.scalar_type() == at::kLong &&
                     place.numel() == 2 && place.is_contiguous(),
                 "the dropout of {} has no dropout_place on {}", key.site, x.device().str());
  return place.const_data_ptr<int64_t>();
}

at::Tensor dropout(const at::Tensor& x, double probability, const DropoutKey& key) {
  LONGHAUL_CHECK(x.dim() == 2, "dropout takes [tokens, hidden], not {} dimensions", x.dim());
  LONGHAUL_CHECK(probability >= 0 && probability < 1, "the probability of dropout is {}, not in [0, 1)", probability);
  if (probability == 0) return x;
  place_for(key, x);
  return DropoutFunction::apply(x, key.place,
                                Mask{RandomStream(key.seed, key.site).key(), key.first_token, probability});
}

}  // namespace longhaul::ops
