// Linear layers whose matrix is cut over the tensor-parallel ranks (Shoeybi et al., "Megatron-LM", 2019; the slices of
// the sequence: Korthikanti et al., "Reducing activation recomputation in large transformer models", 2022).
//
// A column-parallel linear takes hidden states and gives each rank its part of the outputs; a row-parallel linear takes
// those parts and gives hidden states. Hidden states are [tokens, hidden] on every rank, or the rank's slice of the
// tokens under sequence parallelism. Weight gradients run while the input gradient's communication is under way.
#pragma once

#include "longhaul/ops/weight.h"
#include "longhaul/parallel/tensor_group.h"

namespace longhaul::parallel {

// x: hidden states; weight [out / ranks, in], bias [out / ranks] or undefined -> [tokens, out / ranks]
at::Tensor column_parallel_linear(const at::Tensor& x, const ops::Weight& weight, const ops::Weight& bias,
                                  const TensorGroup& group);

// x [tokens, in / ranks], weight [out, in / ranks], bias [out] or undefined, added once -> hidden states
at::Tensor row_parallel_linear(const at::Tensor& x, const ops::Weight& weight, const ops::Weight& bias,
                               const TensorGroup& group);

// Hidden states -> all tokens [tokens, hidden], for an operator that gives only a part of the input's gradient on each
// rank: the parts are summed in backward.
at::Tensor gather_hidden(const at::Tensor& hidden, const TensorGroup& group);
// Partial sums [tokens, hidden] -> hidden states.
at::Tensor reduce_hidden(const at::Tensor& partial, const TensorGroup& group);

}  // namespace longhaul::parallel
