#include "longhaul/model/initialise.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "longhaul/core/random.h"

namespace longhaul {
namespace {

// `value`: the block's part of the global tensor, whose rows have `row` elements.
void fill_normal(const at::Tensor& value, const Block& block, int64_t row, const RandomStream& stream,
                 float standard_deviation) {
  const bool in_place = value.is_cpu() && value.scalar_type() == at::kFloat && value.is_contiguous();
  const at::Tensor drawn =
      in_place ? value : at::empty(value.sizes(), at::TensorOptions().dtype(c10::ScalarType::Float));
  float* out = drawn.mutable_data_ptr<float>();
  if (block.dim == 0) {  // contiguous in the global tensor too
    at::parallel_for(0, drawn.numel(), 1 << 14, [&](int64_t begin, int64_t end) {
      stream.fill_normal(out + begin, block.begin * row + begin, end - begin, 0.0F, standard_deviation);
    });
  } else {
    const int64_t width = block.length;
    at::parallel_for(0, value.size(0), std::max<int64_t>((1 << 14) / width, 1), [&](int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        stream.fill_normal(out + r * width, r * row + block.begin, width, 0.0F, standard_deviation);
      }
    });
  }
  if (!in_place) value.copy_(drawn);
}

}  // namespace

void initialise_parameters(std::span<Parameter> parameters, uint64_t seed) {
  c10::AutoGradMode no_grad(false);
  for (Parameter& p : parameters) {
    p.value.detach().zero_();
    const std::vector<int64_t>& global = p.shard.global_shape;
    const int64_t row = std::accumulate(global.begin() + 1, global.end(), int64_t{1}, std::multiplies<>());
    for_each_block(p, [&](const at::Tensor& value, const Block& block) {  // without padding rows
      switch (p.shard.init) {
        case Init::zeros:
          break;
        case Init::ones:
          value.fill_(1);
          break;
        case Init::normal:
          fill_normal(value, block, row, RandomStream(seed, p.name), static_cast<float>(p.shard.init_std));
          break;
      }
    });
  }
}

}  // namespace longhaul
