#include "checkpoint/tensor_slice.h"

#include <algorithm>
#include <cctype>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

int64_t volume(const std::vector<int64_t>& shape) {
  int64_t result = 1;
  for (const int64_t size : shape) result *= size;
  return result;
}

bool overlap(const Box& a, const Box& b) {
  for (size_t d = 0; d < a.shape.size(); ++d) {
    const int64_t begin = std::max(a.offsets[d], b.offsets[d]);
    const int64_t end = std::min(a.offsets[d] + a.shape[d], b.offsets[d] + b.shape[d]);
    if (begin >= end) return false;
  }
  return true;
}

}  // namespace

at::Tensor slice_of(const at::Tensor& whole, const std::vector<int64_t>& offsets, const std::vector<int64_t>& shape) {
  at::Tensor slice = whole;
  for (size_t d = 0; d < shape.size(); ++d) slice = slice.narrow(static_cast<int64_t>(d), offsets[d], shape[d]);
  return slice;
}

Box intersection(const Box& a, const Box& b) {
  Box common;
  for (size_t d = 0; d < a.offsets.size(); ++d) {
    const int64_t begin = std::max(a.offsets[d], b.offsets[d]);
    const int64_t end = std::min(a.offsets[d] + a.shape[d], b.offsets[d] + b.shape[d]);
    common.offsets.push_back(begin);
    common.shape.push_back(std::max<int64_t>(end - begin, 0));
  }
  return common;
}

bool is_empty(const Box& box) {
  return std::find(box.shape.begin(), box.shape.end(), 0) != box.shape.end();
}

std::vector<int64_t> relative_to(const std::vector<int64_t>& offsets, const std::vector<int64_t>& origin) {
  std::vector<int64_t> relative;
  for (size_t d = 0; d < offsets.size(); ++d) relative.push_back(offsets[d] - origin[d]);
  return relative;
}

bool cover_exactly(const std::vector<Box>& boxes, const std::vector<int64_t>& global_shape) {
  int64_t total = 0;
  for (size_t i = 0; i < boxes.size(); ++i) {
    const Box& box = boxes[i];
    if (box.offsets.size() != global_shape.size() || box.shape.size() != global_shape.size()) return false;
    for (size_t d = 0; d < global_shape.size(); ++d) {
      if (box.offsets[d] < 0 || box.shape[d] < 0 || box.offsets[d] + box.shape[d] > global_shape[d]) return false;
    }
    for (size_t j = 0; j < i; ++j) {
      if (overlap(box, boxes[j])) return false;
    }
    total += volume(box.shape);
  }
  return total == volume(global_shape);  // inside, disjoint and of the same volume: a cover
}

GroupAndName split_group(const std::string& full_name) {
  const auto slash = full_name.find('/');
  LONGHAUL_CHECK(slash != std::string::npos && slash > 0 && slash + 1 < full_name.size(),
                 "checkpoint tensor '{}' is not named group/name", full_name);
  GroupAndName result{full_name.substr(0, slash), full_name.substr(slash + 1)};
  LONGHAUL_CHECK(std::all_of(result.group.begin(), result.group.end(),
                             [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '.'; }) &&
                     result.group.front() != '.',
                 "checkpoint tensor '{}': a group has letters, digits, '_' and '.'", full_name);
  return result;
}

}  // namespace longhaul
