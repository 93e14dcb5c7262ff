#include "ops/cuda_stream.h"

#include <cuda_runtime.h>

#include "ops/launch_error.h"

namespace longhaul::ops::cuda {

bool is_capturing(void* stream) {
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  const cudaError_t error = cudaStreamIsCapturing(static_cast<cudaStream_t>(stream), &status);
  if (error != cudaSuccess) throw_launch_error("cudaStreamIsCapturing", cudaGetErrorString(error));
  return status != cudaStreamCaptureStatusNone;
}

}  // namespace longhaul::ops::cuda
