// Page-locked tensors of the host that live long, such as an optimiser's masters. LibTorch's allocator of pinned memory
// rounds each block up to a power of two bytes, up to twice what is asked for; here one takes whole pages and no more.
// What comes and goes within a step had better be LibTorch's: locking takes milliseconds, and its blocks are kept.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

namespace longhaul::ops {

// How pages are locked for a device.
class PageLock {
 public:
  virtual ~PageLock() = default;
  // [data, data + bytes), whole pages. Empty, or why they can't be.
  virtual std::string lock(void* data, int64_t bytes) = 0;
  // After the copies from and to them that are under way. Does not throw.
  virtual void unlock(void* data) = 0;
};

// An uninitialised tensor in pages of its own, unlocked when the last that shares its storage is gone. LibTorch tells
// its own allocator of a copy's host memory, so that this keeps it; it does not know of ours. So freeing waits for the
// copies, and nobody has to hold the tensor until they are done. Where the pages can't be locked it is ordinary memory:
// copies are right, but wait for the host or it for them; a warning says so once.
at::Tensor locked_tensor(at::IntArrayRef sizes, c10::ScalarType type, const std::shared_ptr<PageLock>& pages);

// An uninitialised tensor in host memory, for copies from and to `device`: for a GPU page-locked (below 1 MiB by
// LibTorch's allocator), for the CPU any.
at::Tensor pinned_tensor(at::IntArrayRef sizes, c10::ScalarType type, c10::Device device);

}  // namespace longhaul::ops
