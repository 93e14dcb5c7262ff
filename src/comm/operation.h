// An operation as steps of messages: when all messages of a step are done, the next step starts. Operations make
// progress only while somebody waits, so whoever waits moves all of its rank's operations on: two ranks may wait for
// the same operations in different order.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "comm/transport.h"
#include "longhaul/comm/work.h"

namespace longhaul::comm {

class Operation {
 public:
  struct Message {
    std::unique_ptr<Transfer> transfer;
    int peer = 0;  // its rank in the job
  };
  // Starts messages and appends them, or computes something between two rounds of messages.
  using Step = std::function<void(std::vector<Message>& messages)>;

  explicit Operation(std::string what) : what_(std::move(what)) {}
  void then(Step step) { steps_.push_back(std::move(step)); }

  // Moves on as far as it can without waiting. True when it has moved.
  bool advance();
  bool done() const { return messages_.empty() && steps_.empty(); }

  const std::string& what() const { return what_; }
  std::set<int> waiting_for() const;  // ranks in the job

 private:
  std::string what_;
  std::deque<Step> steps_;
  std::vector<Message> messages_;
};

// One rank's operations under way, over all its groups.
class Progress : public std::enable_shared_from_this<Progress> {
 public:
  // Starts the operation at once. Dropping its Work unwaited, as a failing rank does, gives it up: nothing touches its
  // buffers afterwards.
  Work start(std::shared_ptr<Operation> operation, std::chrono::milliseconds timeout);

  // What this rank waits for, a line an operation, each behind a line's end.
  std::string describe();

 private:
  class Pending;
  bool advance_all();  // under the lock
  std::mutex mutex_;
  std::vector<std::shared_ptr<Operation>> operations_;
};

}  // namespace longhaul::comm
