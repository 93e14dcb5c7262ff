// Large pages for an array that is read all over the place, where the system has them: fewer look-ups of addresses.
#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <vector>

namespace longhaul {

// A vector of `size` zeros.
template <typename T>
std::vector<T> vector_in_huge_pages(size_t size) {
  constexpr uintptr_t kPage = uintptr_t{2} << 20;
  std::vector<T> values;
  values.reserve(size);
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(values.data()) + kPage - 1) / kPage * kPage;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(values.data()) + size * sizeof(T)) / kPage * kPage;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);  // advice: it may be refused
  values.resize(size);
  return values;
}

}  // namespace longhaul
