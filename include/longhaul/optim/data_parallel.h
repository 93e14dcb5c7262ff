// The data-parallel ranks at work on a model's units: they add up gradients while the backward goes on, keep each its
// share of what `Sharding` splits, and have the values gathered where a forward or a backward needs them.
//
// All of it hangs on UnitEvents. Gradients of a unit start on their way as soon as its last micro-batch's are in (where
// gradients are sharded: each micro-batch's), and arrive while the units below are computed. Gathered values start
// when the unit before begins (where parameters are sharded), or all after a step, and each forward waits for its own.
#pragma once

#include <ATen/core/Tensor.h>

#include <deque>
#include <vector>

#include "longhaul/comm/communicator.h"
#include "longhaul/model/parameter_store.h"
#include "longhaul/model/unit_events.h"
#include "longhaul/parallel/sharding.h"

namespace longhaul {

// What this rank's optimiser steps over, of one unit.
struct UnitShare {
  FlatRange range;       // of the flat layout
  at::Tensor values;     // [range.count()], in the training dtype
  at::Tensor gradients;  // [range.count()], FP32 (FP64): the sum over the data-parallel ranks, after `finish_gradients`
};

// This rank's equal part of a unit; all of it where `ranks` is null.
FlatRange share_of(FlatRange unit, const comm::Communicator* ranks);

class DataParallel final : public UnitEvents {
 public:
  // `ranks`: those that hold the same parameters; null: this one alone, and nothing is shared. The store has main
  // gradients, and on demand what `sharding` says; it outlives this, and tells it its events.
  DataParallel(ParameterStore& store, comm::Communicator* ranks, Sharding sharding, GradientReduction reduction);
  ~DataParallel() override;
  DataParallel(const DataParallel&) = delete;
  DataParallel& operator=(const DataParallel&) = delete;

  const std::vector<UnitShare>& shares() const { return shares_; }  // by unit
  bool sharded() const { return sharding_ != Sharding::none; }      // a share is less than the unit

  // Waits until all gradients are in the shares, those included of which no event has told. A collective call.
  void finish_gradients();
  // The share's values of a unit are new: the others get them. A collective call, which does not wait.
  void values_changed(size_t unit);
  // Until all that values_changed has started is there: before values change again, and before the ranks part.
  void wait_for_values();

  void begin_batch(int64_t micro_batches) override;
  void use_values(size_t unit, std::optional<size_t> next) override;
  void values_used(size_t unit) override;
  void use_gradients(size_t unit) override;
  void gradients_added(size_t unit) override;

 private:
  struct Gradients {
    int64_t awaited = 0;  // micro-batches that have not added theirs
    bool sent = false;    // since the last `finish_gradients`
  };
  struct Reduction {
    size_t unit = 0;
    at::Tensor data, sum;  // what this rank sends and gets
    comm::Work work;
  };
  void reduce(size_t unit);
  void finish_reduction();
  void gather(size_t unit);

  ParameterStore& store_;
  comm::Communicator* const ranks_;
  const Sharding sharding_;
  const GradientReduction reduction_;
  std::vector<UnitShare> shares_;      // by unit
  std::vector<Gradients> gradients_;   // by unit
  std::vector<comm::Work> gathering_;  // by unit
  std::deque<Reduction> reductions_;   // under way, in the order of their start
};

}  // namespace longhaul
