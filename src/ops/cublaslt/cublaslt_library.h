// cuBLASLt's functions, found in the library at run time: LibTorch's CUDA half has loaded it by then.
#pragma once

#include <cublasLt.h>

namespace longhaul::ops {

struct CublasLtLibrary {
  // Loads the library on the first call. Throws EnvironmentError when it is missing or too old.
  static const CublasLtLibrary& get();

  decltype(&cublasLtCreate) create;
  decltype(&cublasLtMatmulDescCreate) product_create;
  decltype(&cublasLtMatmulDescDestroy) product_destroy;
  decltype(&cublasLtMatmulDescSetAttribute) product_set;
  decltype(&cublasLtMatrixLayoutCreate) layout_create;
  decltype(&cublasLtMatrixLayoutDestroy) layout_destroy;
  decltype(&cublasLtMatmulPreferenceCreate) preference_create;
  decltype(&cublasLtMatmulPreferenceDestroy) preference_destroy;
  decltype(&cublasLtMatmulPreferenceSetAttribute) preference_set;
  decltype(&cublasLtMatmulAlgoGetHeuristic) heuristic;
  decltype(&cublasLtMatmul) multiply;
};

}  // namespace longhaul::ops
