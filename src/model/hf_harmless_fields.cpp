#include "model/hf_harmless_fields.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace longhaul {
namespace {

// What transformers 4 and 5 write for every model: identity, outputs, generation defaults, fine-tuning
// labels.
constexpr std::string_view kHarmless[] = {
    // identity and bookkeeping
    "_name_or_path", "name_or_path", "_commit_hash", "architectures", "auto_map", "model_type", "transformers_version",
    "torch_dtype", "dtype", "tokenizer_class", "finetuning_task", "task_specific_params", "vocab_file",
    "gradient_checkpointing", "unsloth_version", "unsloth_fixed",
    // how the Hugging Face code runs, not what it computes
    "_attn_implementation", "attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal",
    "_flash_attn_2_enabled", "_experts_implementation", "use_cache", "return_dict", "output_hidden_states",
    "output_attentions", "output_scores", "return_dict_in_generate", "torchscript", "use_bfloat16", "tf_legacy_loss",
    "chunk_size_feed_forward", "is_decoder", "tie_last_hidden_states",
    // tokens: carried through as they are
    "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "unk_token_id", "decoder_start_token_id", "prefix",
    // generation defaults
    "max_length", "min_length", "max_new_tokens", "do_sample", "early_stopping", "num_beams", "num_beam_groups",
    "diversity_penalty", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty",
    "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences",
    "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values", "exponential_decay_length_penalty",
    "suppress_tokens", "begin_suppress_tokens", "generation_config", "renormalize_logits", "epsilon_cutoff",
    "eta_cutoff", "penalty_alpha",
    // classification heads
    "id2label", "label2id", "num_labels", "problem_type", "classifier_dropout", "tie_encoder_decoder"};

constexpr std::pair<std::string_view, std::string_view> kRefused[] = {
    {"quantization_config", "quantised weights are not supported; use the folder of the unquantised model"},
    {"compression_config", "compressed weights are not supported; use the folder of the uncompressed model"},
    {"is_encoder_decoder", "encoder-decoder models are not supported"},
    {"add_cross_attention", "cross-attention is not supported"},
    {"cross_attention_hidden_size", "cross-attention is not supported"},
    {"pruned_heads", "pruned attention heads are not supported"},
    {"per_layer_config", "layers that differ from one another are not supported"},
    {"layer_types", "layers that differ from one another are not supported"},
    {"sliding_window", "sliding-window attention is not supported; set it to null if the model attends to everything"},
    {"use_sliding_window", "sliding-window attention is not supported"},
};

}  // namespace

bool is_harmless_hf_field(std::string_view key) {
  return std::find(std::begin(kHarmless), std::end(kHarmless), key) != std::end(kHarmless);
}

std::optional<std::string_view> reason_to_refuse_hf_field(std::string_view key) {
  for (const auto& [field, why] : kRefused) {
    if (field == key) return why;
  }
  return std::nullopt;
}

}  // namespace longhaul
