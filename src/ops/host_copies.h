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

  // An uninitialised tensor in host memory, pinned where the device is a GPU.
  at::Tensor host_tensor(at::IntArrayRef sizes, c10::ScalarType type) const;

  // Start after what the device's current stream holds. `host` has to be left alone until the copy is done; the tensor
  // on the device may be freed before.
  Ticket to_host(const at::Tensor& from, const at::Tensor& host) const;
  Ticket to_device(const at::Tensor& host, const at::Tensor& to) const;

 private:
  Ticket copy(const at::Tensor& from, const at::Tensor& to, const at::Tensor& on_device,
              const std::optional<c10::Stream>& stream) const;

  const c10::Device device_;
  std::optional<c10::Stream> down_, up_;
};

}  // namespace longhaul::ops
