// A group of ranks that exchange data, whatever carries it: MPI, NCCL, threads of one process, or nothing at all where
// a rank is alone. All ranks of a group call the same operations in the same order.
//
// Every operation is asynchronous: it returns a `Work`, and neither buffer may be touched before `wait`. On a CPU
// `wait` blocks the calling thread. With NCCL the operation runs on the communicator's own stream, after what the
// calling thread's current stream holds, and `wait` makes the current stream wait, not the host.
//
// A rank that fails, dies or hangs makes the others' `wait` throw a CommunicationError that names it.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "longhaul/comm/data_type.h"
#include "longhaul/comm/traffic.h"
#include "longhaul/comm/work.h"

namespace longhaul::comm {

// `count` elements of `type` at `data`: host memory, or a GPU's for NCCL.
struct Buffer {
  void* data = nullptr;
  int64_t count = 0;
  DataType type = DataType::f32;
};
struct ConstBuffer {
  ConstBuffer() = default;
  ConstBuffer(const void* data, int64_t count, DataType type) : data(data), count(count), type(type) {}
  ConstBuffer(const Buffer& buffer) : data(buffer.data), count(buffer.count), type(buffer.type) {}  // NOLINT: a view
  const void* data = nullptr;
  int64_t count = 0;
  DataType type = DataType::f32;
};

class Communicator {
 public:
  virtual ~Communicator() = default;

  int rank() const { return rank_; }  // in this group, 0 … size() - 1
  int size() const { return size_; }
  const std::string& name() const { return name_; }  // for messages: "world", "tensor", …

  // Sums (or takes the greatest, the least) over the ranks, in place. BF16 and FP16 are summed in FP32 and rounded once
  // a rank at most. The result is bit-equal on all ranks.
  [[nodiscard]] virtual Work all_reduce(Buffer data, ReduceOp op = ReduceOp::sum) = 0;
  // Rank r gets the sum of everybody's r-th part: in.count = size() × out.count. `out` may be that part of `in`.
  [[nodiscard]] virtual Work reduce_scatter(ConstBuffer in, Buffer out, ReduceOp op = ReduceOp::sum) = 0;
  // Everybody gets all parts in rank order: out.count = size() × in.count. `in` may be this rank's part of `out`.
  [[nodiscard]] virtual Work all_gather(ConstBuffer in, Buffer out) = 0;
  // The first send_counts[0] elements of `in` go to rank 0, the next to rank 1, …; `out` is filled likewise. Counts may
  // be 0.
  [[nodiscard]] virtual Work all_to_all(ConstBuffer in, std::span<const int64_t> send_counts, Buffer out,
                                        std::span<const int64_t> receive_counts) = 0;
  [[nodiscard]] virtual Work broadcast(Buffer data, int root) = 0;
  // Messages between two ranks arrive in the order in which they are sent. A send and its receive have the same count
  // and type. Sends may complete before the receive is posted, or not.
  [[nodiscard]] virtual Work send(ConstBuffer data, int to) = 0;
  [[nodiscard]] virtual Work receive(Buffer data, int from) = 0;
  virtual void barrier() = 0;

  // Between begin_batch and end_batch sends and receives are collected and start together (NCCL's group); their Works
  // are valid after end_batch. Elsewhere they start at once.
  virtual void begin_batch() {}
  virtual void end_batch() {}

  // Memory of so many bytes that the group's operations read and write in place, where what carries them has to know of
  // it (NCCL); null: nothing has to. A collective call, of the same size on all ranks. The memory outlives the
  // communicator if need be.
  virtual std::shared_ptr<void> registered_memory(size_t /*bytes*/) { return nullptr; }

  // New groups out of this one, a collective call: ranks with the same colour form a group, ordered by their rank here.
  // A negative colour: no group, and null is returned.
  virtual std::unique_ptr<Communicator> split(int colour, const std::string& name) = 0;

  // Tells all ranks of the job, by whatever way is left, that this one fails with `cause`; their waits throw. Where
  // that ends the job at once (MPI), it ends with `exit_code`.
  virtual void abort(const std::string& cause, int exit_code = 1) = 0;

  // How long `wait` waits for the others before it throws. Zero: for ever. New groups inherit it.
  virtual void set_timeout(std::chrono::milliseconds timeout) = 0;

  // What this rank has sent so far, by operation; see traffic.h for what counts.
  const Traffic& traffic() const { return traffic_; }
  void reset_traffic() { traffic_ = {}; }

 protected:
  Communicator(int rank, int size, std::string name) : rank_(rank), size_(size), name_(std::move(name)) {}
  Traffic traffic_;

 private:
  int rank_;
  int size_;
  std::string name_;
};

}  // namespace longhaul::comm
