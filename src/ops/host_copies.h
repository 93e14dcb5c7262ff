// Copies between a device and host memory that run beside the device's other work, on streams of their own, from and to
// pinned memory. Where the device is the CPU they are plain copies, done when the call returns.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Event.h>
#include <c10/core/Stream.h>

#include <memory>
#include <optional>

namespace longhaul::ops {

class HostCopies {
 public:
  // A copy under way. Empty: it is done.
  class Ticket {
   public:
    Ticket() = default;
    void wait();              // blocks the calling thread
    void make_stream_wait();  // what is queued on the device from now on comes after the copy

   private:
    friend class HostCopies;
    std::shared_ptr<c10::Event> done_;
    c10::Device device_ = c10::Device(c10::DeviceType::CPU);
  };

  explicit HostCopies(c10::Device device);

  // An uninitialised tensor in host memory, pinned where the device is a GPU; for what comes and goes. It takes a power
  // of two bytes there, and may be freed while a copy is under way: LibTorch's allocator keeps the memory until it is
  // done.
  at::Tensor host_tensor(at::IntArrayRef sizes, c10::ScalarType type) const;
  // The same for what stays: no larger than it must be, and freed only when the device is idle (ops/pinned_memory.h).
  at::Tensor lasting_host_tensor(at::IntArrayRef sizes, c10::ScalarType type) const;

  // Start after what the device's current stream holds. Nobody may write to `host`, or read what arrives there, until
  // the copy is done; either tensor may be freed before, if `host` is of one of the two kinds above.
  Ticket to_host(const at::Tensor& from, const at::Tensor& host) const;
  Ticket to_device(const at::Tensor& host, const at::Tensor& to) const;

 private:
  Ticket copy(const at::Tensor& from, const at::Tensor& to, const at::Tensor& on_device,
              const std::optional<c10::Stream>& stream) const;

  const c10::Device device_;
  std::optional<c10::Stream> down_, up_;
};

}  // namespace longhaul::ops
