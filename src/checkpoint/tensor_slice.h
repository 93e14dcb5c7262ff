// Where a slice lies in its whole tensor, and what to call it in a file.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

namespace longhaul {

// The part of `whole` that begins at `offsets` and has `shape`; a view.
at::Tensor slice_of(const at::Tensor& whole, const std::vector<int64_t>& offsets, const std::vector<int64_t>& shape);

struct Box {
  std::vector<int64_t> offsets, shape;
};
Box intersection(const Box& a, const Box& b);
bool is_empty(const Box& box);
// `offsets`, counted from `origin`.
std::vector<int64_t> relative_to(const std::vector<int64_t>& offsets, const std::vector<int64_t>& origin);

// True when the boxes fill `global_shape` and no two overlap.
bool cover_exactly(const std::vector<Box>& boxes, const std::vector<int64_t>& global_shape);

// "group/name" -> its two halves. An internal error for a name without a slash, or with characters a file
// cannot have.
struct GroupAndName {
  std::string group, name;
};
GroupAndName split_group(const std::string& full_name);

}  // namespace longhaul
