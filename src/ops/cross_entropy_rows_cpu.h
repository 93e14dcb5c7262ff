// The CPU kernel of ops/cross_entropy_rows.h.
#pragma once

#include <cstdint>

#include "ops/element_type.h"

namespace longhaul::ops::cpu {

// A is FP32, or FP64 where `type` is float64.
struct CrossEntropyArguments {
  ElementType type;  // of the gradient
  int64_t rows, classes;
  double z_loss, logit_softcap;
  void* logits;           // [rows, classes] A, contiguous
  const int64_t* labels;  // [rows]
  const void* weights;    // [rows] A
  void* losses;           // [rows] A
  void* weighted;         // [rows] A
  void* gradient;         // [rows, classes], contiguous; null: none; may be the logits
};

void cross_entropy_rows(const CrossEntropyArguments& arguments);

}  // namespace longhaul::ops::cpu
