#include "comm/operation.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <thread>

#include "comm/seconds.h"
#include "longhaul/comm/error.h"
#include "longhaul/comm/time_spent.h"
#include "longhaul/core/log.h"

namespace longhaul::comm {
namespace {

using Clock = std::chrono::steady_clock;

thread_local Clock::duration spent{};

class Stopwatch {
 public:
  ~Stopwatch() { spent += Clock::now() - start_; }

 private:
  const Clock::time_point start_ = Clock::now();
};

// How a waiting rank leaves the core to those it waits for: at first it only yields, later it sleeps.
void pause(Clock::duration idle) {
  if (idle < std::chrono::milliseconds(2)) {
    std::this_thread::yield();
  } else {
    std::this_thread::sleep_for(std::chrono::microseconds(idle < std::chrono::milliseconds(200) ? 50 : 500));
  }
}

}  // namespace

std::chrono::nanoseconds time_spent() {
  return spent;
}

bool Operation::advance() {
  bool moved = false;
  while (true) {
    moved |= std::erase_if(messages_, [](Message& m) { return m.transfer->done(); }) > 0;
    if (!messages_.empty() || steps_.empty()) return moved;
    const Step step = std::move(steps_.front());
    steps_.pop_front();
    step(messages_);
    moved = true;
  }
}

std::set<int> Operation::waiting_for() const {
  std::set<int> ranks;
  for (const Message& message : messages_) ranks.insert(message.peer);
  return ranks;
}

class Progress::Pending final : public Work::State {
 public:
  Pending(std::shared_ptr<Progress> progress, std::shared_ptr<Operation> operation, std::chrono::milliseconds timeout)
      : progress_(std::move(progress)), operation_(std::move(operation)), timeout_(timeout) {}

  ~Pending() override {
    const std::lock_guard lock(progress_->mutex_);
    if (!operation_->done()) std::erase(progress_->operations_, operation_);
  }

  void wait() override {
    const Stopwatch stopwatch;
    const auto start = Clock::now();
    auto last_move = start;
    bool warned = false;
    while (true) {
      // While there is time to look at the others: what this rank is stuck in.
      if (timeout_.count() > 0 && !warned && Clock::now() - start > timeout_ / 2) {
        warned = true;
        log::warning_here("half of the time-out of {:.1f} s is over:{}", seconds(timeout_), progress_->describe());
      }
      {
        const std::lock_guard lock(progress_->mutex_);
        const bool moved = progress_->advance_all();
        if (operation_->done()) return;
        if (moved) last_move = Clock::now();
        if (timeout_.count() > 0 && Clock::now() - start > timeout_) {
          const std::set<int> missing = operation_->waiting_for();
          throw CommunicationError("{} waited {:.1f} s in vain for rank{} {}", operation_->what(), seconds(timeout_),
                                   missing.size() == 1 ? "" : "s", fmt::join(missing, ", "));
        }
      }
      pause(Clock::now() - last_move);
    }
  }

  bool done() override {
    const Stopwatch stopwatch;
    const std::lock_guard lock(progress_->mutex_);
    progress_->advance_all();
    return operation_->done();
  }

 private:
  std::shared_ptr<Progress> progress_;
  std::shared_ptr<Operation> operation_;
  std::chrono::milliseconds timeout_;
};

Work Progress::start(std::shared_ptr<Operation> operation, std::chrono::milliseconds timeout) {
  {
    const Stopwatch stopwatch;
    const std::lock_guard lock(mutex_);
    operations_.push_back(operation);
    advance_all();
  }
  return Work(std::make_shared<Pending>(shared_from_this(), std::move(operation), timeout));
}

bool Progress::advance_all() {
  bool moved = false;
  for (const auto& operation : operations_) moved |= operation->advance();
  std::erase_if(operations_, [](const auto& operation) { return operation->done(); });
  return moved;
}

std::string Progress::describe() {
  const std::lock_guard lock(mutex_);
  std::string lines;
  for (const auto& operation : operations_) {
    lines += fmt::format("\n  {} waits for rank {}", operation->what(), fmt::join(operation->waiting_for(), ", "));
  }
  return lines;
}

}  // namespace longhaul::comm
