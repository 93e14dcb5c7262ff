#include "longhaul/data/batch_builder.h"

#include <limits>

#include "longhaul/core/error.h"
#include "longhaul/data/data_config.h"

namespace longhaul {

MaskOptions mask_options(const DataConfig& config, std::optional<int64_t> eod_id, std::string_view why_none) {
  const MaskOptions options{eod_id, config.eod_mask_loss, config.reset_position_ids, config.reset_attention_mask};
  if (!eod_id && (options.eod_mask_loss || options.reset_position_ids || options.reset_attention_mask)) {
    throw UserError(
        "data.eod_mask_loss, data.reset_position_ids and data.reset_attention_mask need an end-of-document "
        "token, but {}; turn them off, or prepare the text with a tokenizer that has an eos token",
        why_none);
  }
  return options;
}

void start_batch(Batch& batch, int64_t sequence_length) {
  batch.sequences = 0;
  batch.sequence_length = sequence_length;
  batch.tokens.clear();
  batch.labels.clear();
  batch.loss_mask.clear();
  batch.positions.clear();
  batch.cu_seqlens.assign(1, 0);
}

void append_sample(Batch& batch, const Sample& sample, const MaskOptions& options) {
  const int64_t length = batch.sequence_length;
  LONGHAUL_CHECK(static_cast<int64_t>(sample.tokens.size()) == length && sample.labels.size() == sample.tokens.size(),
                 "a sample of {} tokens in a batch of length {}", sample.tokens.size(), length);
  const int64_t base = batch.token_count();
  LONGHAUL_CHECK(base + length <= std::numeric_limits<int32_t>::max(), "more than 2^31 tokens in a micro-batch");
  batch.tokens.insert(batch.tokens.end(), sample.tokens.begin(), sample.tokens.end());
  batch.labels.insert(batch.labels.end(), sample.labels.begin(), sample.labels.end());
  int64_t document_start = 0;
  for (int64_t i = 0; i < length; ++i) {
    const bool eod = options.eod_id && sample.tokens[static_cast<size_t>(i)] == *options.eod_id;
    batch.loss_mask.push_back(i >= sample.valid || (eod && options.eod_mask_loss) ? 0.0F : 1.0F);
    if (options.reset_position_ids) batch.positions.push_back(i - document_start);
    if (eod) {
      document_start = i + 1;
      if (options.reset_attention_mask && i + 1 < length) {
        batch.cu_seqlens.push_back(static_cast<int32_t>(base + i + 1));
      }
    }
  }
  batch.cu_seqlens.push_back(static_cast<int32_t>(base + length));
  ++batch.sequences;
}

}  // namespace longhaul
