// Tasks of unequal size over the threads: whoever is free takes the next. A task must compute the same
// whoever runs it and write to memory of its own, so the results don't depend on timing.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

namespace longhaul::ops {

// Calls work(task) for every task in [0, count).
template <typename Work>
void parallel_tasks(int64_t count, const Work& work) {
  const int64_t workers = std::min<int64_t>(count, at::get_num_threads());
  if (workers <= 1) {
    for (int64_t task = 0; task < count; ++task) work(task);
    return;
  }
  std::atomic<int64_t> next{0};
  at::parallel_for(0, workers, 1, [&](int64_t, int64_t) {
    for (int64_t task = next.fetch_add(1); task < count; task = next.fetch_add(1)) work(task);
  });
}

}  // namespace longhaul::ops
