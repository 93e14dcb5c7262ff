// Ways to compute one thing on a GPU, the fastest of which depends on the shape: each is timed when a shape
// comes for the first time, and the winner remembered for the rest of the program.
#pragma once

#include <c10/core/Device.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <vector>

namespace longhaul::ops {

// Seconds that work() takes on the current stream of `device`: the least of a few runs after one that doesn't
// count. Waits for the device.
double seconds_on_device(c10::Device device, const std::function<void()>& work);

// The number of the fastest of run(0) … run(candidates - 1). One that throws is not chosen; if all do, what
// the first threw is thrown.
size_t fastest_of(c10::Device device, size_t candidates, const std::function<void(size_t)>& run);

class TimedChoice {
 public:
  // fastest_of for `shape`. While a CUDA graph is recorded nothing can be timed: it is 0 then, and the
  // question stays open. Any thread may call.
  size_t fastest(c10::Device device, const std::vector<int64_t>& shape, size_t candidates,
                 const std::function<void(size_t)>& run);

 private:
  std::mutex mutex_;
  std::map<std::vector<int64_t>, size_t> known_;  // by shape and number of the device
};

}  // namespace longhaul::ops
