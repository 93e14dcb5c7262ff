// What all NCCL groups of a rank share: the lock under which NCCL is called, the first failure, and the watchdog, a
// thread that looks at operations under way and at NCCL's own errors. When something is wrong it aborts all groups, so
// that no kernel waits for ever and every later call throws.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "comm/nccl/cuda_handles.h"
#include "comm/nccl/nccl_library.h"

namespace longhaul::comm {

class NcclJob {
 public:
  explicit NcclJob(int device);
  ~NcclJob();
  NcclJob(const NcclJob&) = delete;
  NcclJob& operator=(const NcclJob&) = delete;

  // Calls NCCL, which must not block, and waits until it has taken the call in: groups are made with blocking = 0, and
  // set up their connections while they work. `comm` is read after the call, which may be the one that makes it.
  // Throws CommunicationError.
  template <typename Call>
  void call(const std::string& what, const ncclComm_t& comm, std::chrono::milliseconds timeout, Call call) {
    {
      const std::lock_guard lock(mutex_);
      throw_if_failed_locked();
      check(call(nccl_), what);
    }
    settle(what, comm, timeout);
  }

  void add(ncclComm_t comm);
  // Ends the group: in order where all is well, else by aborting it.
  void remove(ncclComm_t comm);

  // An operation that ends when `end` is reached.
  void watch(std::shared_ptr<Event> end, std::string what, std::chrono::milliseconds timeout);

  void fail(const std::string& cause);  // the first cause counts
  void throw_if_failed();

 private:
  using Clock = std::chrono::steady_clock;
  struct Watched {
    std::shared_ptr<Event> end;
    std::string what;
    std::chrono::milliseconds timeout;
    Clock::time_point start;
  };

  void check(ncclResult_t result, const std::string& what);
  void settle(const std::string& what, const ncclComm_t& comm, std::chrono::milliseconds timeout);
  void fail_locked(const std::string& cause);
  void throw_if_failed_locked() const;
  void report_hang() const;
  void look();  // the watchdog's round

  const NcclLibrary& nccl_;
  std::mutex mutex_;
  std::list<ncclComm_t> comms_;
  std::list<Watched> watched_;
  std::string failure_;
  std::jthread watchdog_;  // last: it uses all of the above
};

}  // namespace longhaul::comm
