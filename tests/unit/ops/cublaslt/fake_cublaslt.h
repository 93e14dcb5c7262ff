// cuBLASLt as its header describes it, on the CPU: FP32 products with the epilogues that we use, in a plain loop that
// knows only the attributes and layouts that it was given. It refuses attributes that it doesn't know.
#pragma once

#include "ops/cublaslt/cublaslt_library.h"

namespace longhaul::ops::test {

CublasLtLibrary fake_cublaslt();

}  // namespace longhaul::ops::test
