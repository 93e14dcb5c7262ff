#include "longhaul/model/initialise.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

#include "longhaul/core/random.h"

namespace longhaul {
namespace {

void fill_normal(const at::Tensor& value, const RandomStream& stream, float standard_deviation) {
  at::Tensor drawn = at::empty(value.sizes(), at::TensorOptions().dtype(c10::ScalarType::Float));
  float* out = drawn.data_ptr<float>();
  at::parallel_for(0, drawn.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
    stream.fill_normal(out + begin, begin, end - begin, 0.0F, standard_deviation);
  });
  value.copy_(drawn);
}

}  // namespace

void initialise_parameters(std::span<Parameter> parameters, uint64_t seed) {
  c10::AutoGradMode no_grad(false);
  for (Parameter& p : parameters) {
    p.value.detach().zero_();
    const at::Tensor value = p.value.detach().narrow(0, 0, p.shard.global_shape[0]);  // without padding rows
    switch (p.shard.init) {
      case Init::zeros: break;
      case Init::ones: value.fill_(1); break;
      case Init::normal:
        fill_normal(value, RandomStream(seed, p.name), static_cast<float>(p.shard.init_std));
        break;
    }
  }
}

}  // namespace longhaul
