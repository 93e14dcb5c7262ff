// A communicator out of nothing but messages, for CPU ranks: every rank exchanges its parts with every other directly.
// That moves the textbook's bytes in one or two rounds, which suits the few dozen ranks that a set of CPUs has.
//
// Reductions are carried out here, not by the transport: each rank sums its part in rank order and hands it out. So
// results have the same bits as with thread ranks, on any transport, and BF16 and FP16 are rounded once.
#pragma once

#include <memory>

#include "comm/operation.h"
#include "comm/transport.h"
#include "longhaul/comm/communicator.h"

namespace longhaul::comm {

class DirectCommunicator final : public Communicator {
 public:
  // `members`: the group's ranks in the job, for messages. `rank`: this one's place among them.
  DirectCommunicator(std::shared_ptr<Progress> progress, std::unique_ptr<Transport> transport, std::vector<int> members,
                     int rank, std::string name, std::chrono::milliseconds timeout);

  Work all_reduce(Buffer data, ReduceOp op) override;
  Work reduce_scatter(ConstBuffer in, Buffer out, ReduceOp op) override;
  Work all_gather(ConstBuffer in, Buffer out) override;
  Work all_to_all(ConstBuffer in, std::span<const int64_t> send_counts, Buffer out,
                  std::span<const int64_t> receive_counts) override;
  Work broadcast(Buffer data, int root) override;
  Work send(ConstBuffer data, int to) override;
  Work receive(Buffer data, int from) override;
  void barrier() override;
  std::unique_ptr<Communicator> split(int colour, const std::string& name) override;
  void abort(const std::string& cause, int exit_code) override;
  void set_timeout(std::chrono::milliseconds timeout) override { timeout_ = timeout; }

 private:
  using Messages = std::vector<Operation::Message>;
  std::shared_ptr<Operation> operation(const char* kind) const;
  int next_tag();  // of the next collective operation's first round; its second round has the next number
  void send(Messages& messages, const char* data, size_t bytes, int to, int tag);
  void receive(Messages& messages, char* data, size_t bytes, int from, int tag);
  Work start(std::shared_ptr<Operation> operation) { return progress_->start(std::move(operation), timeout_); }
  // Everybody sends all to everybody, and each sums: one round, for small tensors.
  Work all_reduce_small(Buffer data, ReduceOp op);
  Work gather(ConstBuffer in, Buffer out, const char* kind);

  std::shared_ptr<Progress> progress_;
  std::unique_ptr<Transport> transport_;
  std::vector<int> members_;
  std::chrono::milliseconds timeout_;
  int operations_ = 0, splits_ = 0;
};

}  // namespace longhaul::comm
