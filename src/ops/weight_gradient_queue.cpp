#include "ops/weight_gradient_queue.h"

#include <utility>

namespace longhaul::ops {
namespace {

thread_local WeightGradientQueue* current_queue = nullptr;

}  // namespace

WeightGradientQueue* WeightGradientQueue::current() {
  return current_queue;
}

WeightGradientQueue::Scope::Scope(WeightGradientQueue* queue) : before_(std::exchange(current_queue, queue)) {}
WeightGradientQueue::Scope::~Scope() {
  current_queue = before_;
}

void WeightGradientQueue::run_or_queue(WeightGradientQueue* queue, std::function<void()> work) {
  if (queue == nullptr) return work();
  queue->work_.push_back(std::move(work));
}

void WeightGradientQueue::run() {
  for (auto& work : work_) std::exchange(work, nullptr)();  // frees what it held at once
  work_.clear();
}

}  // namespace longhaul::ops
