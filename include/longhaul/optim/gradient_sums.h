// Gradients that are only a part of the whole on each of several ranks, beside those of data parallelism: of parameters
// that tensor-parallel ranks hold alike but use on different tokens (norms under sequence parallelism) or for different
// heads (a shared key/value head), and of a tied embedding at both ends of a pipeline.
#pragma once

#include <memory>
#include <vector>

#include "longhaul/optim/data_parallel.h"

namespace longhaul {

class GradientSums {
 public:
  // A collective call over the store's tensor group. `shares`, by unit: of these gradients, which every rank of the
  // sums has the same share of. `ends`: the first and the last stage of the pipeline, where this rank is one of two;
  // null otherwise. All outlive this.
  GradientSums(const ParameterStore& store, const std::vector<UnitShare>& shares, comm::Communicator* ends);

  // Sums the gradients in place. A collective call, once a step, when the shares have the data-parallel ranks' sums.
  void run();

 private:
  struct Sum {
    comm::Communicator* ranks;
    std::vector<at::Tensor> gradients;  // views of the shares'
  };
  std::unique_ptr<comm::Communicator> sharers_;  // of this rank's key/value heads
  std::vector<Sum> sums_;
};

}  // namespace longhaul
