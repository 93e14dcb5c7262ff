#include "longhaul/model/parameter_store.h"

#include <ATen/ops/zeros.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <numeric>

#include "longhaul/core/error.h"
#include "ops/tensor_memory.h"

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

int64_t align(int64_t elements) {
  return (elements + kAlignment - 1) / kAlignment * kAlignment;
}

// Of blocks of rows, what lies in `count` rows from `first` on, counted in the tensor that they make up.
std::vector<Block> cut_rows(const std::vector<Block>& blocks, int64_t first, int64_t count) {
  std::vector<Block> cut;
  int64_t at = 0;
  for (const Block& block : blocks) {
    const int64_t begin = std::max(first, at), end = std::min(first + count, at + block.length);
    if (begin < end) {
      cut.push_back(block);
      cut.back().begin += begin - at;
      cut.back().length = end - begin;
    }
    at += block.length;
  }
  return cut;
}

}  // namespace

FlatRange intersection(FlatRange a, FlatRange b) {
  const int64_t begin = std::max(a.begin, b.begin);
  return {begin, std::max(begin, std::min(a.end, b.end))};
}

ParameterStore::ParameterStore(Options options) : options_(options) {}

size_t ParameterStore::begin_unit() {
  units_.emplace_back();
  return units_.size() - 1;
}

void ParameterStore::declare(const std::string& name, const ShardSpec& shard) {
  LONGHAUL_CHECK(offsets_.empty(), "{} is declared after allocate", name);
  LONGHAUL_CHECK(index_.emplace(name, parameters_.size()).second, "parameter {} is declared twice", name);
  if (units_.empty()) begin_unit();
  parameters_.push_back({name, {}, {}, shard, blocks_of(shard, cut())});
  unit_of_.push_back(units_.size() - 1);
}

TensorCut ParameterStore::cut() const {
  return {options_.tensor.rank(), options_.tensor.size(), options_.vocab_multiple};
}

// Gives every parameter its place, and every unit its range.
void ParameterStore::lay_out() {
  int64_t total = 0;
  size_t at = 0;  // parameters are declared unit by unit
  for (size_t unit = 0; unit < units_.size(); ++unit) {
    const size_t begin = at;
    while (at < parameters_.size() && unit_of_[at] == unit) ++at;
    std::stable_partition(parameters_.begin() + static_cast<ptrdiff_t>(begin),
                          parameters_.begin() + static_cast<ptrdiff_t>(at),
                          [](const Parameter& p) { return p.shard.weight_decay; });
    ParameterUnit& here = units_[unit];
    here.range.begin = here.decayed_end = total;
    for (size_t i = begin; i < at; ++i) {
      index_[parameters_[i].name] = i;
      offsets_.push_back(total);
      total += align(element_count(local_shape(parameters_[i].shard, cut())));
      if (parameters_[i].shard.weight_decay) here.decayed_end = total;
    }
    const int64_t multiple = kAlignment * options_.flat_multiple;
    total = here.range.begin + (total - here.range.begin + multiple - 1) / multiple * multiple;
    here.range.end = total;
  }
}

void ParameterStore::allocate() {
  lay_out();
  const auto options = at::TensorOptions().device(options_.device);
  const auto gradients = options_.dtype == c10::ScalarType::Double ? c10::ScalarType::Double : c10::ScalarType::Float;
  // Zeros, so that the gaps between views stay zero for ever: no moment or norm ever sees garbage.
  const auto buffer = [&](int64_t elements, c10::ScalarType type, bool on_demand) {
    if (on_demand) return ops::without_memory(elements, options.dtype(type));
    return options_.zeros ? options_.zeros(elements, options.dtype(type)) : at::zeros({elements}, options.dtype(type));
  };
  for (ParameterUnit& unit : units_) {
    unit.values = buffer(unit.range.count(), options_.dtype, options_.values_on_demand);
    if (options_.main_grads) unit.main_grads = buffer(unit.range.count(), gradients, options_.gradients_on_demand);
  }
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const ParameterUnit& unit = units_[unit_of_[i]];
    const auto shape = local_shape(parameters_[i].shard, cut());
    const int64_t count = element_count(shape), offset = offsets_[i] - unit.range.begin;
    parameters_[i].value = unit.values.narrow(0, offset, count).view(shape).detach();
    parameters_[i].value.requires_grad_(options_.main_grads);
    if (options_.main_grads) parameters_[i].main_grad = unit.main_grads.narrow(0, offset, count).view(shape);
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

bool ParameterStore::contains(std::string_view name) const {
  return index_.contains(std::string(name));
}

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

size_t ParameterStore::unit_of(std::string_view name) const {
  const auto found = index_.find(std::string(name));
  LONGHAUL_CHECK(found != index_.end(), "no parameter {}", name);
  return unit_of_[found->second];
}

FlatRange ParameterStore::whole_rows(FlatRange range) const {
  FlatRange widened = range;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& p = parameters_[i];
    const FlatRange all{offsets_[i], offsets_[i] + p.value.numel()}, within = intersection(all, range);
    if (within.count() == 0) continue;
    const int64_t row = p.blocks[0].dim == 0 ? p.value.numel() / p.value.size(0) : all.count();
    widened.begin = std::min(widened.begin, all.begin + (within.begin - all.begin) / row * row);
    widened.end = std::max(widened.end, all.begin + (within.end - all.begin + row - 1) / row * row);
  }
  return widened;
}

std::vector<Parameter> ParameterStore::views_of(FlatRange rows, const at::Tensor& buffer) const {
  LONGHAUL_CHECK(whole_rows(rows) == rows && buffer.numel() == rows.count(), "[{}, {}) are no whole rows", rows.begin,
                 rows.end);
  std::vector<Parameter> views;
  for (size_t i = 0; i < parameters_.size(); ++i) {
    const Parameter& p = parameters_[i];
    const FlatRange all{offsets_[i], offsets_[i] + p.value.numel()}, within = intersection(all, rows);
    if (within.count() == 0) continue;
    const int64_t row = all.count() / p.value.size(0);
    const int64_t first = (within.begin - all.begin) / row, count = within.count() / row;
    std::vector<Block> blocks = first == 0 && count == p.value.size(0) ? p.blocks : cut_rows(p.blocks, first, count);
    if (blocks.empty()) continue;  // padding
    std::vector<int64_t> shape = p.value.sizes().vec();
    shape[0] = count;
    views.push_back({.name = p.name,
                     .value = buffer.narrow(0, within.begin - rows.begin, within.count()).view(shape),
                     .main_grad = {},
                     .shard = p.shard,
                     .blocks = std::move(blocks)});
  }
  return views;
}

void ParameterStore::collect_autograd_gradients(size_t unit) {
  c10::AutoGradMode no_grad(false);
  for (size_t i = 0; i < parameters_.size(); ++i) {
    if (unit_of_[i] != unit) continue;
    at::Tensor& grad = parameters_[i].value.mutable_grad();
    if (!grad.defined()) continue;
    parameters_[i].main_grad.add_(grad);
    grad.reset();
  }
}

void ParameterStore::collect_autograd_gradients() {
  for (size_t unit = 0; unit < units_.size(); ++unit) collect_autograd_gradients(unit);
}

}  // namespace longhaul
