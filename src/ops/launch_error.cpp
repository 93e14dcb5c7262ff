#include "ops/launch_error.h"

#include "longhaul/core/error.h"

namespace longhaul::ops {

void throw_launch_error(const char* kernel, const char* message) {
  throw InternalError(fmt::format("the CUDA kernel {} could not be launched: {}", kernel, message));
}

}  // namespace longhaul::ops
