// What crosses the border between the parts of a layer that hold a slice of each matrix (tensor parallelism) and
// those that hold whole hidden states, or under sequence parallelism a slice of the tokens. Each function starts its
// communication and returns the result with what to wait for; nothing here is seen by autograd.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "longhaul/parallel/tensor_group.h"

namespace longhaul::parallel {

struct Pending {
  struct Part {
    at::Tensor source;  // what is being sent, kept alive until it has arrived
    comm::Work work;
  };
  at::Tensor value;  // valid after wait
  std::vector<Part> parts;
  at::Tensor wait() {
    for (Part& part : parts) part.work.wait();
    parts.clear();
    return value;
  }
};

// All tokens [tokens, width] out of each rank's slice; `held` itself where tokens are not cut.
Pending gather_tokens(const at::Tensor& held, const TensorGroup& group);
// The sum of the ranks' partial results [tokens, width]: whole on each rank, or under sequence parallelism the rank's
// slice of it. `partial` is overwritten.
Pending sum_partials(const at::Tensor& partial, const TensorGroup& group);
// The same into `sum`, which is `partial` itself where tokens are not cut.
Pending sum_partials_into(const at::Tensor& sum, const at::Tensor& partial, const TensorGroup& group);

}  // namespace longhaul::parallel
