// The kernels behind longhaul/ops/activation.h. Matrices are contiguous, of `type`.
#pragma once

#include <cstdint>

#include "longhaul/ops/activation_kind.h"
#include "ops/element_type.h"
#include "ops/row_blocks.h"

namespace longhaul::ops {

struct ActivationShape {
  ElementType type = ElementType::float32;
  Activation kind = Activation::silu;
  int64_t rows = 0;
  int64_t columns = 0;  // of the output
};

struct GatedForward : ActivationShape {
  const void* gate_up = nullptr;  // [rows, 2 columns]
  void* y = nullptr;              // [rows, columns]
};

struct GatedBackward : ActivationShape {
  const void* gate_up = nullptr;
  const void* dy = nullptr;
  void* dgate_up = nullptr;
};

struct ActivationForward : ActivationShape {
  const void* x = nullptr;     // [rows, columns]
  const void* bias = nullptr;  // [columns] or null
  void* y = nullptr;
};

struct ActivationBackward : ActivationShape {
  const void* x = nullptr;
  const void* bias = nullptr;  // null: none, or within x
  const void* dy = nullptr;
  void* dx = nullptr;     // may be dy
  void* dbias = nullptr;  // [columns] FP32 (FP64 for FP64), added to; null: not wanted
  RowBlocks blocks = {};
  void* partials = nullptr;  // workspace [blocks.count, columns] of dbias; used only with dbias
};

namespace cpu {
void gated_forward(const GatedForward& arguments);
void gated_backward(const GatedBackward& arguments);
void activation_forward(const ActivationForward& arguments);
void activation_backward(const ActivationBackward& arguments);
}  // namespace cpu

namespace cuda {
void gated_forward(const GatedForward& arguments, void* stream);
void gated_backward(const GatedBackward& arguments, void* stream);
void activation_forward(const ActivationForward& arguments, void* stream);
void activation_backward(const ActivationBackward& arguments, void* stream);
}  // namespace cuda

}  // namespace longhaul::ops
