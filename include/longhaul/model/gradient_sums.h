// Gradients that are only a part of the whole on each of several ranks, beside those of data parallelism: of parameters
// that tensor-parallel ranks hold alike but use on different tokens (norms under sequence parallelism) or for different
// heads (a shared key/value head), and of a tied embedding at both ends of a pipeline.
#pragma once

#include <memory>
#include <vector>

#include "longhaul/model/parameter_store.h"

namespace longhaul {

class GradientSums {
 public:
  // A collective call over the store's tensor group. `ends`: the first and the last stage of the pipeline, where this
  // rank is one of two; null otherwise. Both outlive this.
  GradientSums(const ParameterStore& store, comm::Communicator* ends);

  // Sums the main gradients in place. A collective call, once a step, before the data-parallel ranks add theirs.
  void run();

 private:
  struct Sum {
    comm::Communicator* ranks;
    std::vector<at::Tensor> gradients;  // views of the store's
  };
  std::unique_ptr<comm::Communicator> sharers_;  // of this rank's key/value heads
  std::vector<Sum> sums_;
};

}  // namespace longhaul
