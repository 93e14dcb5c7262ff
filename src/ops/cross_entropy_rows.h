// Softmax cross-entropy over the rows of one chunk of logits: losses and the gradient of the logits in one
// go.
#pragma once

#include <ATen/core/Tensor.h>

namespace longhaul::ops {

struct CrossEntropyRows {
  double z_loss = 0;
  double logit_softcap = 0;
};

// Of each row's logits: what the loss over a vocabulary needs to know of a part of it. FP32, or FP64 where the logits
// are.
struct RowStatistics {
  at::Tensor top;          // [rows] the greatest
  at::Tensor sum;          // [rows] Σ exp(logit - top)
  at::Tensor label_logit;  // [rows] the label's, 0 where it is not among the classes
  bool defined() const { return top.defined(); }
};

// `labels` may be outside the classes. May softcap `logits` in place; cross_entropy_rows takes them as this leaves
// them.
RowStatistics row_statistics(const at::Tensor& logits, const at::Tensor& labels, const CrossEntropyRows& options);

// `logits` [rows, classes] FP32 or FP64, on CUDA also BF16, row-major, overwritten freely, and so is what lies between
// the end of a row and the next; `labels` [rows] int64; `weights` [rows] FP32, or FP64 where the logits are. Writes the
// plain cross-entropy to `losses` [rows], weight · (cross-entropy + z-loss) to `weighted` [rows], both of the dtype of
// `weights`, and, if `gradient` [rows, classes] is defined, the gradient of Σ weighted with respect to the raw logits
// there (`gradient` may be `logits` itself, or BF16, or what gradient_in_place returns).
// Where the classes are a part of the vocabulary, `statistics` are those of the whole, after row_statistics, and labels
// may be elsewhere; otherwise they are undefined.
void cross_entropy_rows(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& weights,
                        const CrossEntropyRows& options, const RowStatistics& statistics, const at::Tensor& losses,
                        const at::Tensor& weighted, const at::Tensor& gradient);

// On CUDA: the [rows, classes] BF16 tensor within the memory of FP32 `logits` that may be their gradient. `rows_memory`
// [rows, stride], contiguous, holds the logits in its first `classes` columns; its stride is a multiple of 8.
at::Tensor gradient_in_place(const at::Tensor& rows_memory, int64_t classes);

}  // namespace longhaul::ops
