// Large pages for large arrays, where the system has them: fewer faults, and fewer look-ups of addresses.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace longhaul {

// Of the pages that lie within the memory as a whole. Advice: the system may refuse it.
inline void advise_whole_pages(void* data, size_t bytes, uintptr_t page, int advice) {
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, advice);
}

// Has the system give pages to memory that is still without, as writing to it would. Its contents stay.
inline void touch_pages([[maybe_unused]] void* data, [[maybe_unused]] size_t bytes) {
#ifdef MADV_POPULATE_WRITE  // Linux 5.14; before it, writing does it
  advise_whole_pages(data, bytes, uintptr_t{4} << 10, MADV_POPULATE_WRITE);
#endif
}

inline void prefer_huge_pages(void* data, size_t bytes) {
  advise_whole_pages(data, bytes, uintptr_t{2} << 20, MADV_HUGEPAGE);
}

// A vector of `size` zeros.
template <typename T>
std::vector<T> vector_in_huge_pages(size_t size) {
  std::vector<T> values;
  values.reserve(size);
  prefer_huge_pages(values.data(), size * sizeof(T));
  values.resize(size);
  return values;
}

}  // namespace longhaul
