// A job in equal parts, one thread each.
#pragma once

#include <algorithm>
#include <cstddef>
#include <future>
#include <thread>
#include <vector>

namespace longhaul {

// As many threads as there are cores for this process, but no more than memory keeps busy.
inline size_t index_threads() {
  return std::clamp<size_t>(std::thread::hardware_concurrency(), 1, 8);
}

// Calls part(0) … part(parts - 1), each in a thread of its own, the last in the caller's. Throws what one of them
// threw.
template <typename Part>
void in_parallel(size_t parts, const Part& part) {
  std::vector<std::future<void>> others;
  for (size_t i = 0; i + 1 < parts; ++i) others.push_back(std::async(std::launch::async, [&part, i] { part(i); }));
  part(parts - 1);
  for (auto& other : others) other.get();
}

}  // namespace longhaul
