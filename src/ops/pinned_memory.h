// Page-locked tensors of the host that live long, such as an optimiser's masters. LibTorch's allocator of pinned memory
// rounds each block up to a power of two bytes, up to twice what is asked for; here one takes whole pages and no more.
// What comes and goes within a step had better be LibTorch's: locking takes milliseconds, and its blocks are kept.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

namespace longhaul::ops {

// How pages are locked for a device. Only `lock` may throw.
class PageLock {
 public:
  virtual ~PageLock() = default;
  // [data, data + bytes), whole pages. Empty, or why they can't be.
  virtual std::string lock(void* data, int64_t bytes) = 0;
  virtual void unlock(void* data) = 0;
  // Returns when no copy is under way, from or to whatever memory.
  virtual void wait_for_copies() = 0;
};

// An uninitialised tensor in pages of its own, given back when the last that shares its storage is gone. LibTorch's
// allocator keeps a block until the copies that were started from and to it are done; it does not know of this one. So
// freeing it waits for copies, and nobody has to hold the tensor until then. Where the pages can't be locked it is
// ordinary memory: copies are right, but may hold up the host; a warning says so once.
at::Tensor locked_tensor(at::IntArrayRef sizes, c10::ScalarType type, const std::shared_ptr<PageLock>& pages);

// An uninitialised tensor in host memory, for copies from and to `device`: for a GPU page-locked (below 1 MiB by
// LibTorch's allocator), for the CPU any.
at::Tensor pinned_tensor(at::IntArrayRef sizes, c10::ScalarType type, c10::Device device);

}  // namespace longhaul::ops
