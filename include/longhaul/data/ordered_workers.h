// Threads that work ahead of a reader, which gets the results in order whatever the number of threads.
//
// A source hands out items one at a time; a worker turns each into a result; `next` returns the results in
// the order of the items. At most `window` items are in the works or waiting, so memory is bounded and a slow
// reader holds the source back. An error, of the source or of a worker, is thrown by `next` in the place of
// the result.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "longhaul/core/error.h"

namespace longhaul {

template <typename Item, typename Result>
class OrderedWorkers {
 public:
  // Fills the item, or returns false at the end. Never called by two threads at once.
  using Source = std::function<bool(Item&)>;
  // Turns an item into a result. The result holds an older one, whose memory may be used again.
  using Worker = std::function<void(Item&, Result&)>;

  // One thread a worker, at least one; window ≥ 1.
  OrderedWorkers(Source source, std::vector<Worker> workers, int64_t window)
      : source_(std::move(source)), slots_(static_cast<size_t>(window)) {
    LONGHAUL_CHECK(!workers.empty() && window >= 1, "{} workers, window {}", workers.size(), window);
    try {
      for (Worker& worker : workers) {
        threads_.emplace_back([this, worker = std::move(worker)] { run(worker); });
      }
    } catch (const std::system_error& error) {
      stop();
      throw EnvironmentError("cannot start a thread: {}; the limit on processes (ulimit -u) may be reached",
                             error.what());
    }
  }
  ~OrderedWorkers() { stop(); }
  OrderedWorkers(const OrderedWorkers&) = delete;
  OrderedWorkers& operator=(const OrderedWorkers&) = delete;

  // Waits for the next result and swaps it with `result`. Returns false when the source has ended. After an
  // error every further call throws it again.
  bool next(Result& result) {
    std::unique_lock lock(mutex_);
    Slot& slot = slot_of(read_);
    if (!slot.ready && !ended()) {
      const auto start = std::chrono::steady_clock::now();
      reader_.wait(lock, [&] { return slot.ready || ended(); });
      wait_seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    }
    if (!slot.ready) return false;
    if (slot.error) std::rethrow_exception(slot.error);
    std::swap(result, slot.result);
    slot.ready = false;
    ++read_;
    room_.notify_one();
    return true;
  }

  // Seconds that `next` has waited.
  double wait_seconds() const {
    const std::lock_guard lock(mutex_);
    return wait_seconds_;
  }

 private:
  struct Slot {
    Result result{};
    std::exception_ptr error;
    bool ready = false;
  };

  Slot& slot_of(int64_t ticket) { return slots_[static_cast<size_t>(ticket) % slots_.size()]; }
  bool ended() const { return source_ended_ && read_ == issued_; }

  void run(const Worker& worker) {
    Item item{};
    Result result{};
    while (true) {
      std::exception_ptr error;
      const int64_t ticket = take(item, error);
      if (ticket < 0) return;
      try {
        if (!error) worker(item, result);
      } catch (...) {
        error = std::current_exception();
      }
      const std::lock_guard lock(mutex_);
      Slot& slot = slot_of(ticket);
      std::swap(slot.result, result);
      slot.error = error;
      slot.ready = true;
      reader_.notify_all();
    }
  }

  // The item's place in the order; -1 when there is none. An error of the source takes a place of its own.
  int64_t take(Item& item, std::exception_ptr& error) {
    const std::lock_guard turn(source_mutex_);
    {
      std::unique_lock lock(mutex_);
      room_.wait(lock,
                 [&] { return stopping_ || source_ended_ || issued_ < read_ + static_cast<int64_t>(slots_.size()); });
      if (stopping_ || source_ended_) return -1;
    }
    bool more = false;
    try {
      more = source_(item);
    } catch (...) {
      error = std::current_exception();
    }
    const std::lock_guard lock(mutex_);
    if (!more) {
      source_ended_ = true;
      reader_.notify_all();
    }
    return more || error ? issued_++ : -1;
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    room_.notify_all();
    threads_.clear();  // joins
  }

  const Source source_;
  std::mutex source_mutex_;  // taken before mutex_
  mutable std::mutex mutex_;
  std::condition_variable room_;
  std::condition_variable reader_;
  std::vector<Slot> slots_;  // ticket t uses slot t mod window
  int64_t issued_ = 0;       // tickets given to items
  int64_t read_ = 0;         // tickets whose results were handed out
  bool source_ended_ = false;
  bool stopping_ = false;
  double wait_seconds_ = 0;
  std::vector<std::jthread> threads_;
};

}  // namespace longhaul
