// The settings of a run beside model, data and optimiser.
#pragma once

#include <cstdint>
#include <string>

#include "longhaul/core/config/fields.h"
#include "longhaul/parallel/sharding.h"

namespace longhaul {

// In sequences. A step takes global / micro micro-batches, split over the data-parallel ranks.
struct BatchConfig {
  int64_t global = 8;
  int64_t micro = 1;
  // The batch grows from rampup_start by rampup_increment up to global over rampup_samples; 0: no ramp-up.
  int64_t rampup_start = 0;
  int64_t rampup_increment = 0;
  int64_t rampup_samples = 0;
  std::string
      schedule;  // "0:768 250B:1536": from so many tokens on, so many sequences (BatchSchedule); empty: batch.global
  bool operator==(const BatchConfig&) const = default;
};

enum class Precision { fp32, bf16 };
enum class DeviceChoice { automatic, cpu, cuda };  // "auto", "cpu", "cuda"
enum class CudaGraphs { none, micro_batch };

struct TrainerConfig {
  int64_t max_steps = 1000;
  std::string run_dir;  // empty: runs/<name of the recipe>
  Precision precision = Precision::bf16;
  int64_t seed = 1234;  // of initialisation and dropout
  bool deterministic = false;
  DeviceChoice device = DeviceChoice::automatic;
  CudaGraphs cuda_graphs = CudaGraphs::none;
  int64_t threads = 0;     // of the CPU, per process; 0: all cores
  int64_t log_every = 1;   // steps
  int64_t eval_every = 0;  // steps; 0: never
  int64_t eval_steps = 32;
  std::string profile;  // "10..12", a StepRange; empty: none
  bool operator==(const TrainerConfig&) const = default;
};

struct CheckpointConfig {
  int64_t every = 0;       // steps; 0: at the end alone
  int64_t keep_last = 2;   // 0: all
  int64_t keep_every = 0;  // steps; checkpoints at multiples of it are never removed; 0: none
  bool async = true;
  bool load_optimizer = true;
  bool operator==(const CheckpointConfig&) const = default;
};

enum class RecomputeMode { none, selective, full };

struct RecomputeConfig {
  RecomputeMode mode = RecomputeMode::none;
  int64_t layers = 0;    // of `mode`, counted from the first; 0: all
  bool offload = false;  // what mode full keeps, in host memory
  bool operator==(const RecomputeConfig&) const = default;
};

enum class PipelineSchedule {
  one_f_one_b,
  interleaved,
  gpipe,
  zero_bubble
};  // "1f1b", "interleaved", "gpipe", "zero_bubble"

// How a model is laid out over ranks. Sizes multiply; what remains of the world is data parallel.
struct ParallelConfig {
  int64_t tensor = 1;
  bool sequence = false;
  int64_t tensor_chunks = 1;  // of the tokens: the product of one while the next is on its way between the tensor ranks
  int64_t pipeline = 1;
  int64_t virtual_pipeline = 1;
  PipelineSchedule schedule = PipelineSchedule::one_f_one_b;
  int64_t first_stage_layers = 0;  // over all its chunks; 0: an equal part
  int64_t last_stage_layers = 0;
  bool count_embedding = false;  // as a layer of the first stage, when layers are dealt out
  bool count_loss = false;       // of the last
  int64_t context = 1;
  int64_t expert = 1;
  // From the axis along which neighbouring ranks differ to the one with the longest strides.
  std::string order = "tensor-context-expert-data-pipeline";
  Sharding sharding = Sharding::none;
  GradientReduction gradient_reduction = GradientReduction::fp32;
  bool register_buffers = false;  // the data-parallel ranks' values and gradients, with NCCL
  int64_t timeout = 1800;         // seconds that a rank waits for others; 0: for ever
  int64_t model_ranks() const { return tensor * pipeline * context; }
  bool operator==(const ParallelConfig&) const = default;
};

enum class LogitsPrecision { automatic, fp32, bf16 };  // "auto", "fp32", "bf16"

struct LossConfig {
  double z_loss = 0;
  LogitsPrecision logits = LogitsPrecision::automatic;
  // Whether a run in `precision` rounds the logits that it trains on to BF16.
  bool bf16_logits(Precision precision, bool on_gpu) const {
    return precision == Precision::bf16 &&
           (logits == LogitsPrecision::bf16 || (logits == LogitsPrecision::automatic && on_gpu));
  }
  bool operator==(const LossConfig&) const = default;
};

template <>
std::span<const std::string_view> enum_names<LogitsPrecision>();
template <>
std::span<const std::string_view> enum_names<Precision>();
template <>
std::span<const std::string_view> enum_names<DeviceChoice>();
template <>
std::span<const std::string_view> enum_names<CudaGraphs>();
template <>
std::span<const std::string_view> enum_names<RecomputeMode>();
template <>
std::span<const std::string_view> enum_names<PipelineSchedule>();
template <>
std::span<const std::string_view> enum_names<Sharding>();
template <>
std::span<const std::string_view> enum_names<GradientReduction>();
template <>
const FieldTable& fields<BatchConfig>();
template <>
const FieldTable& fields<TrainerConfig>();
template <>
const FieldTable& fields<CheckpointConfig>();
template <>
const FieldTable& fields<RecomputeConfig>();
template <>
const FieldTable& fields<ParallelConfig>();
template <>
const FieldTable& fields<LossConfig>();

}  // namespace longhaul
