#include "comm/nccl/nccl_job.h"

#include <exception>
#include <utility>

#include "comm/nccl/ras.h"
#include "comm/seconds.h"
#include "longhaul/comm/error.h"
#include "longhaul/core/log.h"

namespace longhaul::comm {
namespace {

constexpr std::chrono::milliseconds kRound{100};  // between the watchdog's rounds
constexpr std::chrono::microseconds kPoll{20};    // while NCCL takes a call in

constexpr int kFirstRas = NCCL_VERSION(2, 24, 0);
constexpr std::chrono::milliseconds kRasWait{10'000};  // it asks all nodes itself, and gives up on each after 5 s

}  // namespace

NcclJob::NcclJob(int device) : nccl_(NcclLibrary::get()) {
  watchdog_ = std::jthread([this, device](const std::stop_token& stop) {
    cudaSetDevice(device);
    while (!stop.stop_requested()) {
      std::this_thread::sleep_for(kRound);
      look();
    }
  });
}

NcclJob::~NcclJob() {
  watchdog_.request_stop();
  watchdog_.join();
  const std::lock_guard lock(mutex_);
  for (const ncclComm_t comm : comms_) nccl_.abort(comm);
}

void NcclJob::check(ncclResult_t result, const std::string& what) {
  if (result == ncclSuccess || result == ncclInProgress) return;
  const char* const details = nccl_.last_error(nullptr);
  const std::string cause = fmt::format("{}: NCCL says \"{}\" ({})", what, nccl_.error_string(result),
                                        details != nullptr && *details != '\0' ? details : "no details");
  fail_locked(cause);
  throw CommunicationError("{}", cause);
}

void NcclJob::settle(const std::string& what, const ncclComm_t& comm, std::chrono::milliseconds timeout) {
  const auto start = Clock::now();
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      throw_if_failed_locked();
      if (comm == nullptr) return;  // a split without a new group
      ncclResult_t state = ncclSuccess;
      check(nccl_.async_error(comm, &state), what);
      if (state == ncclSuccess) return;
      check(state, what);
      if (timeout.count() > 0 && Clock::now() - start > timeout) {
        report_hang();
        const std::string cause =
            fmt::format("{} could not be started within {:.1f} s: another rank is missing", what, seconds(timeout));
        fail_locked(cause);
        throw CommunicationError("{}", cause);
      }
    }
    std::this_thread::sleep_for(kPoll);
  }
}

void NcclJob::add(ncclComm_t comm) {
  const std::lock_guard lock(mutex_);
  comms_.push_back(comm);
}

void NcclJob::remove(ncclComm_t comm) {
  {
    const std::lock_guard lock(mutex_);
    if (std::erase(comms_, comm) == 0) return;  // aborted
    const auto finalized = std::uncaught_exceptions() > 0 ? ncclInternalError : nccl_.finalize(comm);
    if (finalized != ncclSuccess && finalized != ncclInProgress) {
      nccl_.abort(comm);
      return;
    }
  }
  // Finalising waits for operations under way, without blocking.
  ncclResult_t state = ncclInProgress;
  const auto start = Clock::now();
  while (state == ncclInProgress && Clock::now() - start < std::chrono::seconds(30)) {
    {
      const std::lock_guard lock(mutex_);
      if (nccl_.async_error(comm, &state) != ncclSuccess) break;
    }
    if (state == ncclInProgress) std::this_thread::sleep_for(kPoll);
  }
  const std::lock_guard lock(mutex_);
  state == ncclSuccess ? nccl_.destroy(comm) : nccl_.abort(comm);
}

void NcclJob::watch(std::shared_ptr<Event> end, std::string what, std::chrono::milliseconds timeout) {
  const std::lock_guard lock(mutex_);
  watched_.push_back({std::move(end), std::move(what), timeout, Clock::now()});
}

void NcclJob::fail(const std::string& cause) {
  const std::lock_guard lock(mutex_);
  fail_locked(cause);
}

void NcclJob::throw_if_failed() {
  const std::lock_guard lock(mutex_);
  throw_if_failed_locked();
}

void NcclJob::throw_if_failed_locked() const {
  if (!failure_.empty()) throw CommunicationError("{}", failure_);
}

void NcclJob::fail_locked(const std::string& cause) {
  if (!failure_.empty()) return;
  failure_ = cause;
  log::error("{}", cause);
  for (const ncclComm_t comm : std::exchange(comms_, {})) nccl_.abort(comm);
  watched_.clear();
}

// What NCCL knows of the others, in the log before the groups are aborted: afterwards it knows nothing.
void NcclJob::report_hang() const {
  if (nccl_.version < kFirstRas) return;
  if (const auto address = ras_address())
    log::error("NCCL on the state of the job:\n{}", ras_report(*address, kRasWait));
}

void NcclJob::look() {
  const std::lock_guard lock(mutex_);
  try {
    watched_.remove_if([](const Watched& operation) { return operation.end->reached(); });
    for (const ncclComm_t comm : comms_) {
      ncclResult_t state = ncclSuccess;
      check(nccl_.async_error(comm, &state), "asking for errors");
      check(state, "an operation under way");
    }
  } catch (const Error& error) {
    return fail_locked(error.what());
  }
  for (const Watched& operation : watched_) {
    if (operation.timeout.count() > 0 && Clock::now() - operation.start > operation.timeout) {
      report_hang();
      return fail_locked(
          fmt::format("{} did not end within {:.1f} s: another rank is missing, or this one's GPU is behind",
                      operation.what, seconds(operation.timeout)));
    }
  }
}

}  // namespace longhaul::comm
