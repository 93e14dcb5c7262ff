// Units on their way through host memory, for an optimiser whose masters and moments are there: gradients come from the
// device a unit ahead of the step, and new values go back while the next unit is stepped.
#pragma once

#include <array>
#include <vector>

#include "longhaul/optim/data_parallel.h"
#include "ops/host_copies.h"

namespace longhaul {

class HostUnits {
 public:
  // `shares` outlive this.
  HostUnits(const std::vector<UnitShare>& shares, c10::Device device);

  // In host memory, uninitialised, as long as the unit's share. Pinned is a master that is sent to the device itself.
  at::Tensor master(size_t unit) const;
  at::Tensor moment(size_t unit) const;

  struct Operands {
    at::Tensor gradients;  // of the unit's share
    at::Tensor values;     // where their rounded copy goes; undefined where the masters themselves are the values
  };
  // In host memory, of units 0, 1, 2, …, each once a step. The gradients on the device are cleared.
  Operands take(size_t unit);
  // Sends the unit's new values to the device: `master`, or what was written to Operands::values.
  void give_back(size_t unit, const at::Tensor& master);

 private:
  struct Buffers {
    at::Tensor gradients, values;
    ops::HostCopies::Ticket arriving, leaving;
  };
  void fetch(size_t unit);
  Buffers& buffers(size_t unit) { return buffers_[unit % buffers_.size()]; }
  at::Tensor values(size_t unit);

  const std::vector<UnitShare>& shares_;
  const ops::HostCopies copies_;
  const bool rounds_;  // values are a rounded copy of the masters
  std::array<Buffers, 2> buffers_;
  std::vector<ops::HostCopies::Ticket> returning_;  // by unit
};

}  // namespace longhaul
