// Numbered jobs that many threads do at once, with a part that is done one job after another, in the order of the
// numbers.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace longhaul {

class Turns {
 public:
  // Waits for the turn of `job`. False when there will be none, since another job has failed.
  bool wait_for(size_t job) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return given_up_ || turn_ == job; });
    return !given_up_;
  }
  // Ends the turn: it is that of the next job.
  void pass() {
    const std::lock_guard lock(mutex_);
    ++turn_;
    changed_.notify_all();
  }
  // Sends everybody home who waits, or will.
  void give_up() {
    const std::lock_guard lock(mutex_);
    given_up_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  size_t turn_ = 0;
  bool given_up_ = false;
};

}  // namespace longhaul
