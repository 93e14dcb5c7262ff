// An operation under way.
#pragma once

#include <memory>
#include <utility>

namespace longhaul::comm {

class Work {
 public:
  // What a backend derives: one operation's state.
  class State {
   public:
    virtual ~State() = default;
    virtual void wait() = 0;  // throws CommunicationError
    virtual bool done() = 0;  // true when `wait` would not wait
  };

  Work() = default;  // of nothing: done
  explicit Work(std::shared_ptr<State> state) : state_(std::move(state)) {}

  // Until the operation's buffers may be used. Calling it again does nothing.
  void wait() {
    if (state_) std::exchange(state_, nullptr)->wait();
  }
  bool done() const { return !state_ || state_->done(); }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace longhaul::comm
