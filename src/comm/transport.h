// How bytes get from one rank of a group to another: all that DirectCommunicator needs to build its operations on.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace longhaul::comm {

// One message under way. Its bytes may not be touched before it is done.
class Transfer {
 public:
  virtual ~Transfer() = default;
  virtual bool
  done() = 0;  // asks, and lets the transport make progress; throws CommunicationError when the peer is gone
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Messages between two ranks with the same tag arrive in the order in which they are started. Tags: 0 … 2^22 - 1.
  virtual std::unique_ptr<Transfer> send(const void* data, size_t bytes, int to, int tag) = 0;
  virtual std::unique_ptr<Transfer> receive(void* data, size_t bytes, int from, int tag) = 0;

  // The transport of a new group, called by its members alone: their ranks here, in the new group's order. `number`
  // tells apart groups that are made from this one.
  virtual std::unique_ptr<Transport> subgroup(const std::vector<int>& members, int number) = 0;

  // Tells every rank of the job that this one, `rank` in the job, has failed.
  virtual void abort(int rank, const std::string& cause, int exit_code) = 0;
};

}  // namespace longhaul::comm
