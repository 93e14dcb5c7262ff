// The CPU kernel of ops/cross_entropy_rows.h.
#pragma once

#include <cstdint>

#include "ops/element_type.h"

namespace longhaul::ops::cpu {

enum class CrossEntropyPass {
  whole,       // losses and gradient from the logits alone
  statistics,  // caps the logits and writes top, sum and label_logit
  finish,      // losses and gradient from capped logits and given statistics
};

// A is FP32, or FP64 where `type` is float64.
struct CrossEntropyArguments {
  CrossEntropyPass pass;
  ElementType type;  // of the gradient
  int64_t rows, classes;
  double z_loss, logit_softcap;
  void* logits;           // [rows, classes] A, contiguous
  const int64_t* labels;  // [rows]
  void* top;              // [rows] A each: written or read, as `pass` says
  void* sum;
  void* label_logit;
  const void* weights;    // [rows] A
  void* losses;           // [rows] A
  void* weighted;         // [rows] A
  void* gradient;         // [rows, classes], contiguous; null: none; may be the logits
};

void cross_entropy_rows(const CrossEntropyArguments& arguments);

}  // namespace longhaul::ops::cpu
