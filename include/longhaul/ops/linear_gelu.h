// Two linears with a GELU (tanh form) between them, as in GPT's MLP. Here GELU belongs to the linears, not to an
// operator of its own: on a GPU it may be the last step of a product, its derivative the last step of one in backward.
#pragma once

#include "longhaul/ops/weight.h"

namespace longhaul::ops {

// Both [tokens, f]. Autograd knows `pre` alone, as x · weightᵀ.
struct GeluPair {
  at::Tensor pre;        // what GELU takes
  at::Tensor activated;  // gelu(pre); no output of the graph
  Weight bias;           // within `pre`; may be undefined
};

// rounded: of `pre` as it is stored, so that ops::activation(pre, {}, gelu_tanh) gives the same bits again.
// fastest: where GELU is part of the product, of the sum before it is rounded to `pre`.
enum class GeluInput { fastest, rounded };

// pre = x · weightᵀ + bias. x [tokens, in], weight [f, in], bias [f] or undefined. The gradients of x and weight are
// linear()'s; that of the bias is gelu_linear's to make.
GeluPair linear_gelu(const at::Tensor& x, const Weight& weight, const Weight& bias, GeluInput input);

// y = activated · weightᵀ + bias, with gradients for the pair's `pre` and bias, made in one pass, and for weight and
// bias. weight [out, f], bias [out] or undefined -> [tokens, out]. Keeps both of the pair for its backward, which reads
// `activated` for the weight's gradient alone.
at::Tensor gelu_linear(const GeluPair& pair, const Weight& weight, const Weight& bias);

}  // namespace longhaul::ops
