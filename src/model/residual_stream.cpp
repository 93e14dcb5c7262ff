#include "model/residual_stream.h"

#include <utility>
#include <vector>

#include "model/call_in_backward.h"

namespace longhaul {

ResidualStream call_in_backward(std::function<void()> function, const ResidualStream& stream) {
  std::vector<at::Tensor> tensors{stream.hidden};
  if (stream.update.defined()) tensors.push_back(stream.update);
  tensors = call_in_backward(std::move(function), tensors);
  return {tensors[0], tensors.size() > 1 ? tensors[1] : at::Tensor()};
}

}  // namespace longhaul
