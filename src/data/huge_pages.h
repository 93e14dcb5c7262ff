// Large pages for large arrays, where the system has them: fewer faults, and fewer look-ups of addresses.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace longhaul {

// Has the system give pages to memory that is still without, as writing to it would. Its contents stay.
inline void touch_pages(void* data, size_t bytes) {
  constexpr uintptr_t kPage = uintptr_t{4} << 10;
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + kPage - 1) / kPage * kPage;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) / kPage * kPage;
#ifdef MADV_POPULATE_WRITE  // Linux 5.14; before it, writing does it
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_WRITE);  // advice: it may be refused
#else
  static_cast<void>(begin), static_cast<void>(end);
#endif
}

inline void prefer_huge_pages(void* data, size_t bytes) {
  constexpr uintptr_t kPage = uintptr_t{2} << 20;
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(data) + kPage - 1) / kPage * kPage;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(data) + bytes) / kPage * kPage;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);  // advice: it may be refused
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
