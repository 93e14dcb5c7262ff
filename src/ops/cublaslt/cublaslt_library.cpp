#include "ops/cublaslt/cublaslt_library.h"

#include <dlfcn.h>

#include <string>

#include "longhaul/core/error.h"

namespace longhaul::ops {
namespace {

// The version of the header that this was compiled with: the structs are its.
const std::string kName = "libcublasLt.so." + std::to_string(CUBLAS_VER_MAJOR);

template <typename Function>
void load(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr) throw EnvironmentError("this machine's {} has no {}: it is too old", kName, name);
}

CublasLtLibrary open() {
  void* const library = dlopen(kName.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw EnvironmentError(
        "GPUs multiply matrices with cuBLASLt, which cannot be loaded: {}. Install NVIDIA's wheel "
        "nvidia-cublas or the "
        "CUDA toolkit of version {} where the dynamic loader finds {}, or add its folder to LD_LIBRARY_PATH.",
        dlerror(), CUBLAS_VER_MAJOR, kName);
  }
  CublasLtLibrary lt{};
  load(library, "cublasLtCreate", lt.create);
  load(library, "cublasLtMatmulDescCreate", lt.product_create);
  load(library, "cublasLtMatmulDescDestroy", lt.product_destroy);
  load(library, "cublasLtMatmulDescSetAttribute", lt.product_set);
  load(library, "cublasLtMatrixLayoutCreate", lt.layout_create);
  load(library, "cublasLtMatrixLayoutDestroy", lt.layout_destroy);
  load(library, "cublasLtMatmulPreferenceCreate", lt.preference_create);
  load(library, "cublasLtMatmulPreferenceDestroy", lt.preference_destroy);
  load(library, "cublasLtMatmulPreferenceSetAttribute", lt.preference_set);
  load(library, "cublasLtMatmulAlgoGetHeuristic", lt.heuristic);
  load(library, "cublasLtMatmul", lt.multiply);
  return lt;
}

}  // namespace

const CublasLtLibrary& CublasLtLibrary::get() {
  static const CublasLtLibrary library = open();
  return library;
}

}  // namespace longhaul::ops
