// Selective recomputation of what is cheap to compute and large to keep: a norm's or an activation's output, which
// the next linear saves for its weight gradient. Its memory is given back after the forward, and filled again, by the
// same operator from the same input, just before the linear's backward runs. No GEMM is repeated.
// (The idea is Megatron-Core's "output-discarding" checkpointing.)
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

namespace longhaul {

// Frees `intermediate`, which only the operator that made `consumer_output` still needs. When the gradient of
// `consumer_output` is ready, `recompute()` runs without autograd and its result is put back into `intermediate`'s
// storage. Does nothing where no gradient will be asked for.
void discard_until_backward(const at::Tensor& intermediate, const at::Tensor& consumer_output,
                            std::function<at::Tensor()> recompute);

}  // namespace longhaul
