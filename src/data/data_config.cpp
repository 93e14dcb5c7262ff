#include "longhaul/data/data_config.h"

#include <array>

#include "longhaul/core/config/field_table.h"

namespace longhaul {

template <>
std::span<const std::string_view> enum_names<SamplerKind>() {
  static constexpr std::array<std::string_view, 2> names{"sequential", "cyclic"};
  return names;
}

template <>
const FieldTable& fields<DataConfig>() {
  using C = DataConfig;
  static const FieldTable table = make_table<C>(
      "Where the tokens come from and how they are cut into sequences",
      {
          field<&C::train>(
              "train",
              "prefix of .bin/.idx files, as llm-pretrain prepare makes them; or a blend: \"0.3 PREFIX_A 0.7 PREFIX_B\", "
              "\"PREFIX_A PREFIX_B\" by size, or @FILE")
              .in("path")
              .known_as("train_data_path"),
          field<&C::valid>("valid",
                           "the same for evaluation; empty: the second share of train, or none where test is given")
              .in("path")
              .known_as("valid_data_path"),
          field<&C::test>("test", "the same for an evaluation after the last step; empty: none")
              .in("path")
              .known_as("test_data_path"),
          field<&C::replay>(
              "replay", "prefix or blend of what the model was trained on before, mixed into train against forgetting")
              .in("path"),
          field<&C::replay_fraction>("replay_fraction", "share of data.replay among the training samples")
              .above(0)
              .below(1),
          field<&C::split>("split", "shares of train, valid and test in train's documents").known_as("split"),
          field<&C::sequence_length>("sequence_length", "length of a training sequence")
              .in("tokens")
              .at_least(1)
              .known_as("seq_length, seq_len"),
          field<&C::seed>("seed", "seed of the shuffling").at_least(0).known_as("seed"),
          field<&C::stable_order>("stable_order",
                                  "shuffle each epoch on its own, so that a longer run begins like a shorter one; not "
                                  "Megatron's order"),
          field<&C::sampler>(
              "sampler",
              "how training goes through the samples: in the datasets' order, once, or shuffled anew in each of "
              "any number of passes")
              .known_as("dataloader_type"),
          field<&C::sampler_sharding>(
              "sampler_sharding",
              "with sampler cyclic: each data-parallel rank reads from its own share of the samples, so "
              "that the order depends on how many there are; false: from all of them")
              .known_as("data_sharding"),
          field<&C::mock>("mock", "made-up tokens that a model can learn, without files").known_as("mock_data"),
          field<&C::cache_dir>("cache_dir", "folder of the index caches; empty: beside the data")
              .in("path")
              .known_as("data_cache_path"),
          field<&C::prefetch>("prefetch", "micro-batches read ahead").at_least(1),
          field<&C::eod_mask_loss>("eod_mask_loss",
                                   "no loss at positions that hold an end-of-document token: on what follows one")
              .known_as("eod_mask_loss"),
          field<&C::reset_position_ids>("reset_position_ids", "positions start anew in each document")
              .known_as("reset_position_ids"),
          field<&C::reset_attention_mask>("reset_attention_mask", "attention stays within a document")
              .known_as("reset_attention_mask"),
          field<&C::tokenizer>(
              "tokenizer",
              "folder with tokenizer.json that a model from scratch belongs to: gives the vocabulary's "
              "size, and goes into exports; model.from brings its own")
              .in("path")
              .known_as("tokenizer_model"),
          field<&C::check_tokenizer>("check_tokenizer", "refuse data prepared with another tokenizer than the model's"),
          field<&C::fim>("fim", "Fill-in-the-middle"),
      });
  return table;
}

}  // namespace longhaul
