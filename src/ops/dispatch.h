// From tensors to kernels. A kernel is a function of one struct of raw pointers and sizes, the same struct
// for the CPU's kernel and for the CUDA launcher beside it; `launch` picks by the device of a tensor.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>

#include <cstddef>
#include <optional>
#include <type_traits>

#include "ops/element_type.h"
#include "ops/profile_scope.h"

// A CUDA launcher where the build has one, and the name of the operator in profiles:
// LONGHAUL_CUDA_KERNEL(cuda::norm_forward).
#ifdef LONGHAUL_HAS_CUDA
#define LONGHAUL_CUDA_KERNEL(launcher) \
  ::longhaul::ops::CudaKernel {        \
    launcher, #launcher                \
  }
#else
#define LONGHAUL_CUDA_KERNEL(launcher) \
  ::longhaul::ops::CudaKernel {        \
    nullptr, #launcher                 \
  }
#endif

namespace longhaul::ops {

// True: CUDA, false: CPU. Another device is an InternalError, CUDA in a build without CUDA code a UserError.
bool on_cuda(const at::Tensor& x);

// FP32, BF16 or FP64; anything else is an InternalError.
ElementType element_type(const at::Tensor& x);

// The type of statistics and sums: FP32 for FP32 and BF16, FP64 for FP64.
at::ScalarType compute_type(const at::Tensor& x);

// How an optional tensor goes into autograd's Function::apply, which takes no undefined ones.
inline std::optional<at::Tensor> optional_tensor(const at::Tensor& x) {
  return x.defined() ? std::optional<at::Tensor>(x) : std::nullopt;
}

// The pointer of a contiguous tensor's data, null for an undefined one.
template <typename T = void>
T* data_or_null(const at::Tensor& x) {
  return x.defined() ? static_cast<T*>(x.mutable_data_ptr()) : nullptr;
}

// The stream (cudaStream_t) on which LibTorch runs the operators of this CUDA tensor's device.
void* current_cuda_stream(const at::Tensor& x);
void* current_cuda_stream(c10::Device device);

// Whether what is queued there becomes part of a CUDA graph instead of running.
bool stream_is_capturing(c10::Device device);

template <typename Launcher>
struct CudaKernel {
  Launcher launcher;  // nullptr in builds without CUDA
  const char* name;   // "cuda::norm_forward"
};
template <typename Launcher>
CudaKernel(Launcher, const char*) -> CudaKernel<Launcher>;

// Calls what is named by LONGHAUL_CUDA_KERNEL; false in a build without CUDA code.
template <typename Launcher, typename... Arguments>
bool call_cuda(const CudaKernel<Launcher>& kernel, const Arguments&... arguments) {
  if constexpr (std::is_same_v<Launcher, std::nullptr_t>) {
    return false;
  } else {
    return kernel.launcher(arguments...);
  }
}

// Runs the kernel of the device that holds `x`: on the CPU when it returns the work is done, on CUDA it is
// queued.
template <typename Arguments, typename Launcher>
void launch(const at::Tensor& x, void (*cpu_kernel)(const Arguments&), const CudaKernel<Launcher>& cuda_kernel,
            const Arguments& arguments) {
  const OperatorScope scope(
      [&] { return std::string_view(cuda_kernel.name).substr(std::string_view("cuda::").size()); });
  if (!on_cuda(x)) return cpu_kernel(arguments);
  if constexpr (!std::is_same_v<Launcher, std::nullptr_t>) {
    const c10::DeviceGuard guard(x.device());
    cuda_kernel.launcher(arguments, current_cuda_stream(x));
  }
}

}  // namespace longhaul::ops
