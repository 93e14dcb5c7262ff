#pragma once

#include "longhaul/ops/activation_kind.h"
#include "longhaul/ops/weight.h"

namespace longhaul::ops {

// gate_up [tokens, 2f], gate in the first half -> act(gate) * up [tokens, f]. Saves only its input.
at::Tensor gated_activation(const at::Tensor& gate_up, Activation kind);

// act(x + bias) [tokens, f]; `bias` [f] may be undefined.
at::Tensor activation(const at::Tensor& x, const Weight& bias, Activation kind);

}  // namespace longhaul::ops
