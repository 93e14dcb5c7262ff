// The kernels behind ops/cross_entropy_rows.h.
#pragma once

#include <cstdint>

#include "ops/element_type.h"

namespace longhaul::ops {

enum class CrossEntropyPass {
  whole,       // losses and gradient from the logits alone
  statistics,  // writes top, sum and label_logit; on the CPU it also caps the logits
  finish,      // losses and gradient from the logits as `statistics` left them, and given statistics
};

// A is FP32, or FP64 where the logits are.
struct CrossEntropyArguments {
  CrossEntropyPass pass;
  ElementType logits_type;  // BF16 on CUDA alone
  ElementType type;         // of the gradient: that of the logits, or BF16
  int64_t rows, classes;
  int64_t row_stride;  // of the logits, at least `classes`
  double z_loss, logit_softcap;
  void* logits;           // [rows, classes]
  const int64_t* labels;  // [rows]; may be none of the classes
  void* top;              // [rows] A each: written or read, as `pass` says
  void* sum;
  void* label_logit;
  const void* weights;  // [rows] A
  void* losses;         // [rows] A
  void* weighted;       // [rows] A
  void* gradient;       // [rows, classes] of `type`; null: none
  int64_t gradient_stride;
};

namespace cpu {
// The gradient may be the logits, in their type.
void cross_entropy_rows(const CrossEntropyArguments& arguments);
}  // namespace cpu

namespace cuda {
// The gradient may be the logits, in their type, or lie in their memory as gradient_in_place has it. What follows a row
// within its stride may be overwritten.
void cross_entropy_rows(const CrossEntropyArguments& arguments, void* stream);
}  // namespace cuda

}  // namespace longhaul::ops
