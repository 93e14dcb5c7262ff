#include "ops/host_copies.h"

#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "ops/pinned_memory.h"

namespace longhaul::ops {

using c10::impl::VirtualGuardImpl;

void HostCopies::Ticket::wait() {
  if (done_) done_->synchronize();
  done_ = nullptr;
}

void HostCopies::Ticket::make_stream_wait() {
  if (done_) done_->block(VirtualGuardImpl(device_.type()).getStream(device_));
}

HostCopies::HostCopies(c10::Device device) : device_(device) {
  if (device.is_cpu()) return;
  const VirtualGuardImpl guard(device.type());
  down_ = guard.getStreamFromGlobalPool(device);
  up_ = guard.getStreamFromGlobalPool(device);
}

at::Tensor HostCopies::host_tensor(at::IntArrayRef sizes, c10::ScalarType type) const {
  return at::empty(sizes, at::TensorOptions().dtype(type).pinned_memory(!device_.is_cpu()));
}

at::Tensor HostCopies::lasting_host_tensor(at::IntArrayRef sizes, c10::ScalarType type) const {
  return pinned_tensor(sizes, type, device_);
}

HostCopies::Ticket HostCopies::to_host(const at::Tensor& from, const at::Tensor& host) const {
  return copy(from, host, from, down_);
}

HostCopies::Ticket HostCopies::to_device(const at::Tensor& host, const at::Tensor& to) const {
  return copy(host, to, to, up_);
}

HostCopies::Ticket HostCopies::copy(const at::Tensor& from, const at::Tensor& to, const at::Tensor& on_device,
                                    const std::optional<c10::Stream>& stream) const {
  c10::AutoGradMode no_grad(false);
  at::Tensor target = to;
  Ticket ticket;
  if (!stream) {
    target.copy_(from);
    return ticket;
  }
  const VirtualGuardImpl guard(device_.type());
  c10::Event ready(device_.type());
  ready.record(guard.getStream(device_));
  ready.block(*stream);
  {
    const c10::StreamGuard on_stream(*stream);
    target.copy_(from, /*non_blocking=*/true);
  }
  guard.recordDataPtrOnStream(on_device.storage().data_ptr(), *stream);
  ticket.device_ = device_;
  ticket.done_ = std::make_shared<c10::Event>(device_.type());
  ticket.done_->record(*stream);
  return ticket;
}

}  // namespace longhaul::ops
