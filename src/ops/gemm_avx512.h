// Matrix products on AVX-512. On CPUs that aren't Intel's, MKL keeps to AVX2 for FP32, at half the machine's
// rate; and BF16 products with FP32 results, added to what is there, exist nowhere else.
#pragma once

#include <cstdint>

namespace longhaul::ops::avx512 {

// A matrix by its element strides; one of them is 1.
struct MatrixView {
  const void* data;
  int64_t row_stride;
  int64_t column_stride;
};

struct GemmArguments {
  int64_t m, n, k;
  MatrixView a;        // [m, k]
  MatrixView b;        // [k, n]
  bool bf16;           // a, b and bias: BF16, else FP32
  void* out;           // [m, n], row-major
  int64_t out_stride;  // elements from one row to the next
  bool out_bf16;       // else FP32
  bool accumulate;     // out += (FP32 only), else out =
  const void* bias;    // [n] or null
};

// Whether this machine has AVX-512, and for `bf16` its BF16 instructions.
bool supported(bool bf16);

void gemm(const GemmArguments& arguments);

}  // namespace longhaul::ops::avx512
