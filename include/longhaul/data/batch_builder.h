// Turns samples into a Batch: loss mask, positions and the borders of attention, none of which depend on how
// the samples were made.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "longhaul/data/batch.h"
#include "longhaul/data/dataset.h"

namespace longhaul {

struct DataConfig;

// What an end-of-document token (EOD) does, as Megatron's options of the same names.
struct MaskOptions {
  std::optional<int64_t> eod_id;      // required by the three below
  bool eod_mask_loss = false;         // loss mask 0 where the input token is EOD: its label begins another document
  bool reset_position_ids = false;    // position 0 after an EOD, which keeps its own place in the old document
  bool reset_attention_mask = false;  // attention ends at an EOD
};

// Throws UserError when the configuration asks for an option that needs an EOD and there is none; `why_none`, half a
// sentence, then says why.
MaskOptions mask_options(const DataConfig& config, std::optional<int64_t> eod_id, std::string_view why_none);

// Makes `batch` empty, for sequences of this length.
void start_batch(Batch& batch, int64_t sequence_length);

// Appends one sequence. `cu_seqlens` gains a border at its end and, with reset_attention_mask, after each
// EOD.
void append_sample(Batch& batch, const Sample& sample, const MaskOptions& options);

}  // namespace longhaul
