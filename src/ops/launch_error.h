// What a CUDA launcher does when its kernel cannot start. Apart from the .cu files, which don't see {fmt}.
#pragma once

namespace longhaul::ops {

// Throws InternalError with the kernel's name and CUDA's message.
[[noreturn]] void throw_launch_error(const char* kernel, const char* message);

}  // namespace longhaul::ops
