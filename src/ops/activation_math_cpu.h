// Each activation's value and derivative at x, for A = float (vectorisable) and double.
#pragma once

#include "longhaul/ops/activation_kind.h"
#include "ops/vector_math.h"

namespace longhaul::ops::cpu {

template <typename A>
struct ValueAndSlope {
  A value;
  A slope;
};

// The sigmoid of x, s, and 1 - s without cancellation.
template <typename A>
struct Logistic {
  A value;
  A complement;
};

template <typename A>
LONGHAUL_INLINE Logistic<A> logistic(A x) {
  const A e = simd::exp(-x), s = A(1) / (A(1) + e);
  return {s, x < A(-40) ? A(1) : e * s};  // e may be infinite
}

template <Activation kind, typename A>
LONGHAUL_INLINE ValueAndSlope<A> activate(A x) {
  if constexpr (kind == Activation::silu) {
    const Logistic<A> s = logistic(x);
    return {x * s.value, s.value + x * s.value * s.complement};
  } else if constexpr (kind == Activation::gelu_erf) {
    const simd::Normal<A> n = simd::normal(x);
    return {x * n.integral, n.integral + x * n.density};
  } else if constexpr (kind == Activation::gelu_tanh) {
    // (1 + tanh u) / 2 is the sigmoid of 2u, which does not cancel for negative u.
    constexpr A kScale = A(1.5957691216057307118);  // 2 √(2/π)
    constexpr A kCubic = A(0.044715);
    const Logistic<A> s = logistic(kScale * x * (A(1) + kCubic * x * x));
    const A inner_slope = kScale * (A(1) + A(3) * kCubic * x * x);
    return {x * s.value, s.value + x * s.value * s.complement * inner_slope};
  } else if constexpr (kind == Activation::squared_relu) {
    const A positive = x < 0 ? A(0) : x;
    return {positive * positive, A(2) * positive};
  } else {
    static_assert(kind == Activation::relu);
    return {x < 0 ? A(0) : x, x > 0 ? A(1) : A(0)};
  }
}

// Calls function.template operator()<kind>().
template <typename Function>
void with_activation(Activation kind, Function&& function) {
  switch (kind) {
    case Activation::gelu_erf:
      return function.template operator()<Activation::gelu_erf>();
    case Activation::gelu_tanh:
      return function.template operator()<Activation::gelu_tanh>();
    case Activation::silu:
      return function.template operator()<Activation::silu>();
    case Activation::squared_relu:
      return function.template operator()<Activation::squared_relu>();
    case Activation::relu:
      return function.template operator()<Activation::relu>();
  }
}

}  // namespace longhaul::ops::cpu
