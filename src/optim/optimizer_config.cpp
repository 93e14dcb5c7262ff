#include "longhaul/optim/optimizer_config.h"

#include <array>

#include "longhaul/core/config/field_table.h"

namespace longhaul {

template <>
std::span<const std::string_view> enum_names<ScheduleKind>() {
  static constexpr std::array<std::string_view, 4> names{"cosine", "linear", "wsd", "constant"};
  return names;
}

template <>
std::span<const std::string_view> enum_names<WsdDecay>() {
  static constexpr std::array<std::string_view, 4> names{"linear", "cosine", "exponential", "minus_sqrt"};
  return names;
}

template <>
const FieldTable& fields<OptimizerConfig>() {
  using C = OptimizerConfig;
  static const FieldTable table = make_table<C>(
      "AdamW with decoupled weight decay and FP32 master weights",
      {
          field<&C::lr>("lr", "peak learning rate").above(0).known_as("lr", "learning_rate"),
          field<&C::min_lr>("min_lr", "learning rate at the end of the decay").at_least(0).known_as("min_lr"),
          field<&C::beta1>("beta1", "decay of the first moment")
              .at_least(0)
              .below(1)
              .known_as("adam_beta1", "adam_beta1"),
          field<&C::beta2>("beta2", "decay of the second moment")
              .at_least(0)
              .below(1)
              .known_as("adam_beta2", "adam_beta2"),
          field<&C::eps>("eps", "added to the root of the second moment").above(0).known_as("adam_eps", "adam_epsilon"),
          field<&C::weight_decay>("weight_decay", "decay of matrices; biases and norms have none")
              .at_least(0)
              .known_as("weight_decay", "weight_decay"),
          field<&C::clip_norm>("clip_norm", "gradients are scaled down to this global L2 norm; 0: off")
              .at_least(0)
              .known_as("clip_grad", "max_grad_norm"),
          field<&C::offload>("offload",
                             "masters and moments in host memory, stepped over by the CPU: for models whose 12 bytes a "
                             "parameter of them don't fit the GPU. The same numbers as the CPU's own step")
              .known_as("optimizer_cpu_offload"),
      });
  return table;
}

template <>
const FieldTable& fields<ScheduleConfig>() {
  using C = ScheduleConfig;
  static const FieldTable table = make_table<C>(
      "The learning rate over the steps: warm-up from 0 to lr, then down to min_lr",
      {
          field<&C::kind>("kind", "shape of the decay; wsd: warm-up, stable, decay")
              .known_as("lr_decay_style", "lr_scheduler_type"),
          field<&C::warmup_steps>("warmup_steps", "length of the linear warm-up")
              .in("steps")
              .at_least(0)
              .known_as("lr_warmup_iters", "warmup_steps"),
          field<&C::decay_steps>("decay_steps",
                                 "step, warm-up included, at which min_lr is reached; 0: trainer.max_steps")
              .in("steps")
              .at_least(0)
              .known_as("lr_decay_iters"),
          field<&C::wsd_decay_steps>("wsd_decay_steps", "wsd: length of the final decay; 0: a tenth of decay_steps")
              .in("steps")
              .at_least(0)
              .known_as("lr_wsd_decay_iters"),
          field<&C::wsd_decay>("wsd_decay", "wsd: shape of the final decay").known_as("lr_wsd_decay_style"),
      });
  return table;
}

}  // namespace longhaul
