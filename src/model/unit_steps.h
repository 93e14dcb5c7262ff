// The units that a pass through a stage uses, step by step, and the telling of it (UnitEvents). A step's forward lies
// between `begin` and `end`; both put a call into the backward, which goes through the same steps the other way round.
#pragma once

#include <optional>
#include <vector>

#include "longhaul/model/unit_events.h"
#include "model/transformer_layer.h"
#include "ops/weight_gradient_queue.h"

namespace longhaul {

struct UnitStep {
  enum class Kind {
    embedding,  // of tokens: there is no input whose gradient would tell that its backward is done, which needs no
                // values
    layers,     // from hidden states to hidden states
    loss,       // adds its gradients in its forward; its backward needs no values
  };
  Kind kind = Kind::layers;
  std::vector<size_t> units;
  bool last_use = true;  // false: another step adds to the same gradients after this one's backward
};

class UnitSteps {
 public:
  // `events` may be null: then everything here passes its tensors on. Both outlive the backward.
  UnitSteps(UnitEvents* events, const std::vector<UnitStep>& steps) : events_(events), steps_(steps) {}

  // `stream` is what the step gets; undefined where it gets tokens. Returns what it is to go on with.
  ResidualStream begin(size_t step, const ResidualStream& stream) const;
  // `stream` is what the step gives.
  ResidualStream end(size_t step, const ResidualStream& stream) const;
  size_t last() const { return steps_.size() - 1; }

 private:
  std::optional<size_t> first_unit_of(size_t step) const;
  void begin_backward(size_t step, ops::WeightGradientQueue* queue) const;
  void end_backward(size_t step, ops::WeightGradientQueue* queue) const;

  UnitEvents* events_;
  const std::vector<UnitStep>& steps_;
};

}  // namespace longhaul
