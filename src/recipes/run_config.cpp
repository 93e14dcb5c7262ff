#include "longhaul/recipes/run_config.h"

#include <array>

#include "longhaul/core/config/field_table.h"

namespace longhaul {

template <>
std::span<const std::string_view> enum_names<Precision>() {
  static constexpr std::array<std::string_view, 2> names{"fp32", "bf16"};
  return names;
}

template <>
std::span<const std::string_view> enum_names<LogitsPrecision>() {
  static constexpr std::array<std::string_view, 3> names{"auto", "fp32", "bf16"};
  return names;
}

template <>
std::span<const std::string_view> enum_names<DeviceChoice>() {
  static constexpr std::array<std::string_view, 3> names{"auto", "cpu", "cuda"};
  return names;
}

template <>
std::span<const std::string_view> enum_names<CudaGraphs>() {
  static constexpr std::array<std::string_view, 2> names{"none", "micro_batch"};
  return names;
}

template <>
std::span<const std::string_view> enum_names<RecomputeMode>() {
  static constexpr std::array<std::string_view, 3> names{"none", "selective", "full"};
  return names;
}

template <>
std::span<const std::string_view> enum_names<PipelineSchedule>() {
  static constexpr std::array<std::string_view, 4> names{"1f1b", "interleaved", "gpipe", "zero_bubble"};
  return names;
}

template <>
std::span<const std::string_view> enum_names<Sharding>() {
  static constexpr std::array<std::string_view, 4> names{"none", "optimizer", "gradients", "parameters"};
  return names;
}

template <>
std::span<const std::string_view> enum_names<GradientReduction>() {
  static constexpr std::array<std::string_view, 2> names{"fp32", "bf16"};
  return names;
}

template <>
const FieldTable& fields<BatchConfig>() {
  using C = BatchConfig;
  static const FieldTable table = make_table<C>(
      "How many sequences a step takes",
      {
          field<&C::global>("global", "sequences of one optimiser step, over all ranks")
              .in("sequences")
              .at_least(1)
              .known_as("global_batch_size", "gradient_accumulation_steps"),
          field<&C::micro>("micro", "sequences of one forward pass; more need more memory")
              .in("sequences")
              .at_least(1)
              .known_as("micro_batch_size", "per_device_train_batch_size"),
          field<&C::rampup_start>("rampup_start",
                                  "the first steps' batch, which grows up to batch.global; 0: no ramp-up")
              .in("sequences")
              .at_least(0)
              .known_as("rampup_batch_size"),
          field<&C::rampup_increment>("rampup_increment", "by how much the batch grows at once")
              .in("sequences")
              .at_least(0),
          field<&C::rampup_samples>("rampup_samples", "over how many sequences of the run the batch grows")
              .in("sequences")
              .at_least(0),
          field<&C::schedule>("schedule",
                              "batches that grow at given numbers of tokens, as \"0:768 250B:1536\", up to "
                              "batch.global; empty: they don't")
              .known_as("step_batch_size_schedule"),
      });
  return table;
}

template <>
const FieldTable& fields<TrainerConfig>() {
  using C = TrainerConfig;
  static const FieldTable table = make_table<C>(
      "The run",
      {
          field<&C::max_steps>("max_steps", "optimiser steps of the whole run, resumed ones included")
              .in("steps")
              .at_least(1)
              .known_as("train_iters", "max_steps, num_train_epochs"),
          field<&C::run_dir>("run_dir", "folder of the logs and checkpoints; empty: runs/<name of the recipe>")
              .in("path")
              .known_as("save", "output_dir"),
          field<&C::precision>("precision",
                               "of the training copy and the arithmetic; masters and moments are FP32 always")
              .known_as("bf16", "bf16"),
          field<&C::seed>("seed", "seed of the initial weights and of dropout").at_least(0).known_as("seed", "seed"),
          field<&C::deterministic>("deterministic", "the same bits on every run, at some cost in speed")
              .known_as("deterministic_mode", "full_determinism"),
          field<&C::device>("device", "auto: a GPU when there is one"),
          field<&C::cuda_graphs>(
              "cuda_graphs",
              "what a GPU records once and then replays: nothing, or a micro-batch's forward and backward; "
              "one rank, without borders of documents and offload")
              .known_as("cuda_graph_impl"),
          field<&C::threads>("threads", "CPU threads of a process; 0: all cores").at_least(0),
          field<&C::log_every>("log_every", "a line of metrics every so often")
              .in("steps")
              .at_least(1)
              .known_as("log_interval", "logging_steps"),
          field<&C::eval_every>("eval_every", "evaluate every so often; 0: never")
              .in("steps")
              .at_least(0)
              .known_as("eval_interval", "eval_steps"),
          field<&C::eval_steps>("eval_steps", "global batches of one evaluation").at_least(1).known_as("eval_iters"),
          field<&C::profile>(
              "profile",
              "steps to take a profile of, as \"10..12\" or \"10\", into RUN/profile: a trace for Chrome "
              "or Perfetto, and a table of where their time goes; empty: none")
              .in("steps")
              .known_as("profile_step_start"),
      });
  return table;
}

template <>
const FieldTable& fields<CheckpointConfig>() {
  using C = CheckpointConfig;
  static const FieldTable table =
      make_table<C>("What is saved when, and what is read",
                    {
                        field<&C::every>("every", "save every so often; 0: at the end alone")
                            .in("steps")
                            .at_least(0)
                            .known_as("save_interval", "save_steps"),
                        field<&C::keep_last>("keep_last", "how many of the newest to keep; 0: all")
                            .at_least(0)
                            .known_as("", "save_total_limit"),
                        field<&C::keep_every>("keep_every", "keep those at multiples of this for good; 0: none")
                            .in("steps")
                            .at_least(0)
                            .known_as("save_retain_interval"),
                        field<&C::async>("async", "write in the background").known_as("async_save"),
                        field<&C::load_optimizer>("load_optimizer", "on resuming, take up the optimiser's moments too")
                            .known_as("load_optim"),
                    });
  return table;
}

template <>
const FieldTable& fields<RecomputeConfig>() {
  using C = RecomputeConfig;
  static const FieldTable table = make_table<C>(
      "Activations that are computed again in the backward pass rather than kept",
      {
          field<&C::mode>("mode", "selective: outputs of norms and MLP activations; full: whole layers")
              .known_as("recompute_granularity", "gradient_checkpointing"),
          field<&C::layers>("layers", "the first so many layers; 0: all").at_least(0).known_as("recompute_num_layers"),
          field<&C::offload>(
              "offload", "with mode full: the layers' inputs wait in pinned host memory, and come back a layer ahead")
              .known_as("cpu_offloading"),
      });
  return table;
}

template <>
const FieldTable& fields<ParallelConfig>() {
  using C = ParallelConfig;
  static const FieldTable table = make_table<C>(
      "How the model is laid out over ranks; what remains of them is data parallel",
      {
          field<&C::tensor>("tensor", "ranks that share each matrix")
              .at_least(1)
              .known_as("tensor_model_parallel_size, tp"),
          field<&C::sequence>("sequence", "shard norms and dropout along the sequence over the tensor ranks")
              .known_as("sequence_parallel"),
          field<&C::tensor_chunks>(
              "tensor_chunks",
              "in how many chunks of tokens the tensor ranks exchange hidden states, each beside the "
              "matrix product of another; 1: not overlapped")
              .at_least(1)
              .known_as("tp_comm_overlap"),
          field<&C::pipeline>("pipeline", "stages of layers").at_least(1).known_as("pipeline_model_parallel_size, pp"),
          field<&C::virtual_pipeline>("virtual_pipeline", "chunks of layers on each stage; 1: not interleaved")
              .at_least(1)
              .known_as("virtual_pipeline_model_parallel_size, num_layers_per_virtual_pipeline_stage"),
          field<&C::schedule>(
              "schedule",
              "order of forward and backward passes on a stage; zero_bubble (ZB-H1): weight gradients fill the waiting"),
          field<&C::first_stage_layers>("first_stage_layers", "layers of the first stage; 0: as many as the others")
              .at_least(0)
              .known_as("decoder_first_pipeline_num_layers"),
          field<&C::last_stage_layers>("last_stage_layers", "layers of the last stage; 0: as many as the others")
              .at_least(0)
              .known_as("decoder_last_pipeline_num_layers"),
          field<&C::count_embedding>(
              "count_embedding", "deal out the layers as if the embedding were one, so that the first stage gets fewer")
              .known_as("account_for_embedding_in_pipeline_split"),
          field<&C::count_loss>(
              "count_loss",
              "deal out the layers as if the output layer and the loss were one, so that the last stage gets fewer")
              .known_as("account_for_loss_in_pipeline_split"),
          field<&C::context>("context", "ranks that share each sequence").at_least(1).known_as("context_parallel_size"),
          field<&C::expert>("expert", "ranks that share the experts")
              .at_least(1)
              .known_as("expert_model_parallel_size"),
          field<&C::order>(
              "order",
              "how ranks are numbered: along the first axis neighbouring ranks differ, along the last one the "
              "most distant; all five axes, joined by -; or Megatron's names tp, cp, ep, dp, pp")
              .known_as("use_tp_pp_dp_mapping"),
          field<&C::sharding>("sharding",
                              "what the data-parallel ranks split among them: the optimiser's state (ZeRO 1), "
                              "gradients too (ZeRO 2), parameters too (ZeRO 3)")
              .known_as("data_parallel_sharding_strategy, use_distributed_optimizer"),
          field<&C::gradient_reduction>("gradient_reduction",
                                        "in which type the data-parallel ranks sum gradients; bf16: half the bytes")
              .known_as("grad_reduce_in_bf16"),
          field<&C::register_buffers>(
              "register_buffers",
              "values and gradients lie in memory that is registered with NCCL, so that the data-parallel ranks exchange "
              "them without copies; GPUs, sharding none or optimizer")
              .known_as("nccl_ub"),
          field<&C::timeout>("timeout",
                             "how long a rank waits for the others, a save or an evaluation of theirs included, before "
                             "it ends the run and names who is missing; 0: for ever")
              .in("seconds")
              .at_least(0)
              .known_as("distributed_timeout_minutes"),
      });
  return table;
}

template <>
const FieldTable& fields<LossConfig>() {
  using C = LossConfig;
  static const FieldTable table = make_table<C>(
      "The training loss: cross-entropy over the next token",
      {
          field<&C::z_loss>("z_loss", "weight of logsumexp(logits)² in the loss; 0: off").at_least(0),
          field<&C::logits>(
              "logits",
              "what a BF16 run trains on: FP32 logits, or BF16 ones as Megatron-LM and transformers, less "
              "than half the memory traffic on a GPU; auto: BF16 on GPUs. Evaluations have FP32"),
      });
  return table;
}

}  // namespace longhaul
