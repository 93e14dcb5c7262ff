#include "ops/dispatch.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include <string>

#include "longhaul/core/error.h"
#include "ops/cuda_stream.h"

namespace longhaul::ops {

bool on_cuda(const at::Tensor& x) {
  if (x.device().is_cpu()) return false;
  LONGHAUL_CHECK(x.device().is_cuda(), "no operators for a tensor on device {}", x.device().str());
#ifndef LONGHAUL_HAS_CUDA
  throw UserError(
      "a tensor lives on {}, but this build has no CUDA code. Configure with -DLONGHAUL_CUDA=ON and "
      "build again, or run on the CPU.",
      x.device().str());
#endif
  return true;
}

ElementType element_type(const at::Tensor& x) {
  switch (x.scalar_type()) {
    case at::kFloat:
      return ElementType::float32;
    case at::kBFloat16:
      return ElementType::bfloat16;
    case at::kDouble:
      return ElementType::float64;
    default:
      break;
  }
  LONGHAUL_CHECK(false, "operators take FP32, BF16 or FP64, not {}", c10::toString(x.scalar_type()));
}

at::ScalarType compute_type(const at::Tensor& x) {
  return x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

void* current_cuda_stream(const at::Tensor& x) {
  return current_cuda_stream(x.device());
}

void* current_cuda_stream(c10::Device device) {
  // Through LibTorch's virtual interface: linking libc10_cuda would tie every program to CUDA's libraries.
  return c10::impl::VirtualGuardImpl(c10::DeviceType::CUDA).getStream(device).native_handle();
}

bool stream_is_capturing(c10::Device device) {
  return call_cuda(LONGHAUL_CUDA_KERNEL(cuda::is_capturing), current_cuda_stream(device));
}

}  // namespace longhaul::ops
