// Work of a device that is recorded once and then replayed: one launch instead of hundreds.
#pragma once

#include <c10/core/Device.h>

#include <functional>
#include <memory>

namespace longhaul::ops {

// The work is a function that queues the same operators, of the same shapes and at the same addresses, each time. What
// it does on the host happens in `warm_up` and `record` alone.
class DeviceGraph {
 public:
  virtual ~DeviceGraph() = default;

  // Runs work() where `record` would record it, between what the current stream holds and what comes after. Libraries
  // set themselves up, and choose their algorithms, which a recording must not see.
  virtual void warm_up(const std::function<void()>& work) = 0;
  // Once, after a `warm_up`: what work() queues becomes the graph, and nothing runs. Memory that it takes and gives
  // back stays the graph's. What work() throws is passed on.
  virtual void record(const std::function<void()>& work) = 0;
  // Queues what was recorded on the current stream.
  virtual void replay() = 0;
};

// A CUDA graph on `device`: only in builds with CUDA.
std::unique_ptr<DeviceGraph> cuda_graph(c10::Device device);

}  // namespace longhaul::ops
