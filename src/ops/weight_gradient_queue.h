// Weight gradients that wait. Nothing else in a backward needs a linear's weight gradient: a pipeline stage that first
// hands its input's gradient on may compute it later, where it would only wait (zero-bubble schedules).
//
// A forward remembers which queue its backward belongs to, since a GPU's backward runs on another thread.
#pragma once

#include <functional>
#include <vector>

namespace longhaul::ops {

class WeightGradientQueue {
 public:
  WeightGradientQueue() = default;
  WeightGradientQueue(const WeightGradientQueue&) = delete;
  WeightGradientQueue& operator=(const WeightGradientQueue&) = delete;

  // The queue of forwards that run on this thread; null: their backwards compute all at once.
  static WeightGradientQueue* current();

  // While one lives, `queue` (may be null) is the current one of its thread.
  class Scope {
   public:
    explicit Scope(WeightGradientQueue* queue);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    WeightGradientQueue* const before_;
  };

  // Runs `work`, or leaves it in `queue` where there is one.
  static void run_or_queue(WeightGradientQueue* queue, std::function<void()> work);
  // Runs what was left, in its order.
  void run();
  bool empty() const { return work_.empty(); }

 private:
  std::vector<std::function<void()>> work_;
};

}  // namespace longhaul::ops
