#include "model/unit_steps.h"

#include <c10/core/GradMode.h>

#include "model/call_in_backward.h"

namespace longhaul {
namespace {

using Kind = UnitStep::Kind;
using Queue = ops::WeightGradientQueue;

}  // namespace

std::optional<size_t> UnitSteps::first_unit_of(size_t step) const {
  return step < steps_.size() ? std::optional(steps_[step].units.front()) : std::nullopt;
}

ResidualStream UnitSteps::begin(size_t step, const ResidualStream& stream) const {
  if (events_ == nullptr) return stream;
  const UnitStep& here = steps_[step];
  for (const size_t unit : here.units) events_->use_values(unit, first_unit_of(step + 1));
  if (here.kind == Kind::embedding) return stream;
  if (here.kind == Kind::loss && c10::GradMode::is_enabled()) {
    for (const size_t unit : here.units) events_->use_gradients(unit);
  }
  return call_in_backward([steps = *this, step, queue = Queue::current()] { steps.end_backward(step, queue); }, stream);
}

ResidualStream UnitSteps::end(size_t step, const ResidualStream& stream) const {
  if (events_ == nullptr) return stream;
  const UnitStep& here = steps_[step];
  for (const size_t unit : here.units) events_->values_used(unit);
  if (here.kind == Kind::loss) return stream;
  return call_in_backward([steps = *this, step, queue = Queue::current()] { steps.begin_backward(step, queue); },
                          stream);
}

void UnitSteps::begin_backward(size_t step, Queue* queue) const {
  const UnitStep& here = steps_[step];
  const bool more = step > 0 && steps_[step - 1].kind == Kind::layers;
  for (const size_t unit : here.units) {
    if (here.kind == Kind::layers) events_->use_values(unit, more ? first_unit_of(step - 1) : std::nullopt);
    events_->use_gradients(unit);
  }
  if (here.kind == Kind::embedding)
    call_after_backward([steps = *this, step, queue] { steps.end_backward(step, queue); });
}

void UnitSteps::end_backward(size_t step, Queue* queue) const {
  const UnitStep& here = steps_[step];
  for (const size_t unit : here.units) {
    if (here.kind == Kind::layers) events_->values_used(unit);
    if (!here.last_use) continue;
    Queue::run_or_queue(queue, [events = events_, unit] { events->gradients_added(unit); });  // behind the unit's own
  }
}

}  // namespace longhaul
