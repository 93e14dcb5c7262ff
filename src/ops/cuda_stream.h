// What LibTorch's interface for any device does not tell of a CUDA stream.
#pragma once

namespace longhaul::ops::cuda {

// Whether what is queued on `stream` becomes a graph's part instead of running: nothing can be timed then.
bool is_capturing(void* stream);

}  // namespace longhaul::ops::cuda
