// Softmax cross-entropy over the rows of one chunk of logits: losses and the gradient of the logits in one
// go.
#pragma once

#include <ATen/core/Tensor.h>

namespace longhaul::ops {

struct CrossEntropyRows {
  double z_loss = 0;
  double logit_softcap = 0;
};

// `logits` [rows, classes] FP32 or FP64, overwritten freely; `labels` [rows] int64, all valid; `weights`
// [rows] of the dtype of `logits`. Writes the plain cross-entropy to `losses` [rows], weight · (cross-entropy
// + z-loss) to `weighted` [rows], and, if `gradient` [rows, classes] is defined, the gradient of Σ weighted
// with respect to the raw logits there (`gradient` may be `logits` itself, or BF16).
void cross_entropy_rows(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& weights,
                        const CrossEntropyRows& options, const at::Tensor& losses, const at::Tensor& weighted,
                        const at::Tensor& gradient);

}  // namespace longhaul::ops
