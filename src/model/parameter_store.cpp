#include "longhaul/model/parameter_store.h"

#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <numeric>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

constexpr int64_t kAlignment = 64;  // elements; keeps every view on a cache line in any dtype

int64_t element_count(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

// Adds `range`, which lies at or behind the last of `ranges`.
void append(std::vector<FlatRange>& ranges, FlatRange range) {
  if (!ranges.empty() && ranges.back().end >= range.begin) {
    ranges.back().end = std::max(ranges.back().end, range.end);
  } else {
    ranges.push_back(range);
  }
}

int64_t align(int64_t elements) { return (elements + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

ParameterStore::ParameterStore(Options options) : options_(options) {}

void ParameterStore::declare(const std::string& name, const ShardSpec& shard) {
  LONGHAUL_CHECK(!flat_values_.defined(), "{} is declared after allocate", name);
  LONGHAUL_CHECK(index_.emplace(name, parameters_.size()).second, "parameter {} is declared twice", name);
  parameters_.push_back({name, {}, {}, shard, blocks_of(shard, cut())});
}

TensorCut ParameterStore::cut() const {
  return {options_.tensor.rank(), options_.tensor.size(), options_.vocab_multiple};
}

void ParameterStore::allocate() {
  std::stable_partition(parameters_.begin(), parameters_.end(),
                        [](const Parameter& p) { return p.shard.weight_decay; });
  offsets_.clear();
  std::vector<std::vector<int64_t>> shapes;
  int64_t total = 0;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& p = parameters_[i];
    index_[p.name] = i;
    auto shape = local_shape(p.shard, cut());
    offsets_.push_back(total);
    total += align(element_count(shape));
    if (p.shard.weight_decay) decayed_elements_ = total;
    shapes.push_back(std::move(shape));
  }
  const int64_t multiple = kAlignment * options_.flat_multiple;
  total = (total + multiple - 1) / multiple * multiple;
  const auto options = at::TensorOptions().device(options_.device);
  const auto gradients = options_.dtype == c10::ScalarType::Double ? c10::ScalarType::Double : c10::ScalarType::Float;
  // Zeros, so that the gaps between views stay zero for ever: no moment or norm ever sees garbage.
  flat_values_ = at::zeros({total}, options.dtype(options_.dtype));
  if (options_.main_grads) flat_main_grads_ = at::zeros({total}, options.dtype(gradients));
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const int64_t count = element_count(shapes[i]);
    parameters_[i].value = flat_values_.narrow(0, offsets_[i], count).view(shapes[i]).detach();
    parameters_[i].value.requires_grad_(options_.main_grads);
    if (options_.main_grads) {
      parameters_[i].main_grad = flat_main_grads_.narrow(0, offsets_[i], count).view(shapes[i]);
    }
    for (size_t block = 0; block < parameters_[i].blocks.size(); ++block) {
      if (!parameters_[i].blocks[block].owned) continue;
      FlatRange range = range_of(i, block);
      if (block + 1 == parameters_[i].blocks.size()) range.end = offsets_[i] + align(count);  // and the zeros behind it
      append(owned_, range);
    }
  }
}

FlatRange ParameterStore::range_of(size_t index, size_t block) const {
  const Parameter& p = parameters_[index];
  int64_t before = 0;  // along the blocks' dimension
  for (size_t i = 0; i < block; ++i) before += p.blocks[i].length;
  const int64_t length = p.blocks[block].length;
  if (p.blocks[block].dim != 0) {
    LONGHAUL_CHECK(p.blocks.size() == 1, "{} is cut by columns into more than one block", p.name);
    return {offsets_[index], offsets_[index] + p.value.numel()};
  }
  const int64_t width = p.value.numel() / p.value.size(0);
  return {offsets_[index] + before * width, offsets_[index] + (before + length) * width};
}

bool ParameterStore::contains(std::string_view name) const { return index_.contains(std::string(name)); }

const Parameter& ParameterStore::at(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  LONGHAUL_CHECK(found != index_.end(), "no parameter {}", name);
  return parameters_[found->second];
}

ops::Weight ParameterStore::weight(std::string_view name) const {
  const Parameter& p = at(name);
  return {p.value, p.main_grad};
}

int64_t ParameterStore::parameter_count() const {
  int64_t count = 0;
  for (const Parameter& p : parameters_) count += element_count(p.shard.global_shape);
  return count;
}

std::vector<Parameter> ParameterStore::views_of(const at::Tensor& flat) const {
  LONGHAUL_CHECK(flat.sizes() == flat_values_.sizes(), "a buffer of {} elements, expected {}", flat.numel(),
                 flat_values_.numel());
  std::vector<Parameter> views = parameters_;
  for (size_t i = 0; i < views.size(); ++i) {
    const at::Tensor& value = parameters_[i].value;
    views[i].value = flat.narrow(0, offsets_[i], value.numel()).view(value.sizes());
    views[i].main_grad.reset();
  }
  return views;
}

void ParameterStore::collect_autograd_gradients() {
  c10::AutoGradMode no_grad(false);
  for (Parameter& p : parameters_) {
    at::Tensor& grad = p.value.mutable_grad();
    if (!grad.defined()) continue;
    p.main_grad.add_(grad);
    grad.reset();
  }
}

}  // namespace longhaul
