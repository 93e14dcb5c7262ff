// Scratch memory for the CPU kernels: aligned to cache lines, uninitialised, kept by its owner between calls.
// Large buffers ask for huge pages: the kernels stream over them, and prefetching stops at a page's end.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

namespace longhaul::ops {

class AlignedBuffer {
 public:
  // At least `count` elements of T; what it held before may be gone.
  template <typename T>
  T* get(int64_t count) {
    size_t bytes = static_cast<size_t>(count) * sizeof(T);
    if (bytes > capacity_) {
      const size_t alignment = bytes >= kHugePage ? kHugePage : 64;
      bytes = (bytes + alignment - 1) / alignment * alignment;
      memory_.reset();
      memory_.reset(std::aligned_alloc(alignment, bytes));
      if (!memory_) throw std::bad_alloc();
      if (alignment == kHugePage) madvise(memory_.get(), bytes, MADV_HUGEPAGE);  // a wish; refusal does no harm
      capacity_ = bytes;
    }
    return static_cast<T*>(memory_.get());
  }

 private:
  static constexpr size_t kHugePage = size_t{2} << 20;
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
  size_t capacity_ = 0;
};

}  // namespace longhaul::ops
