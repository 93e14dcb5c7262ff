// What a pass through the model says about its units (ParameterStore), for whoever keeps their values or gradients
// elsewhere, or wants to work on them as soon as they are there. On every rank that holds the same units the same calls
// come in the same order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace longhaul {

class UnitEvents {
 public:
  virtual ~UnitEvents() = default;

  // A global batch begins: so many micro-batches go forward and backward through every unit.
  virtual void begin_batch(int64_t micro_batches) = 0;
  // From now on the unit's values are used, in a forward or a backward; after it probably those of `next`.
  virtual void use_values(size_t unit, std::optional<size_t> next) = 0;
  virtual void values_used(size_t unit) = 0;
  // Now gradients are added to the unit's.
  virtual void use_gradients(size_t unit) = 0;
  // A micro-batch's gradients are in, and nothing adds to them before the next `use_gradients`.
  virtual void gradients_added(size_t unit) = 0;
};

}  // namespace longhaul
