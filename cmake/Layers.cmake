# A layer is one folder under src/, include/longhaul/ and tests/unit/. Layers with TORCH see LibTorch and share
# one precompiled header; the others compile without it, in a fraction of the time.
function(longhaul_layer name)
  cmake_parse_arguments(ARG "TORCH" "" "" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  if(LONGHAUL_HAS_CUDA)
    file(GLOB_RECURSE cuda_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cu)
    list(APPEND sources ${cuda_sources})
    set(toolkit_sources ${sources})
    list(FILTER toolkit_sources INCLUDE REGEX "/(cublaslt|cuda_graph)/")  # headers alone: what they name is loaded at run time, or linked
    set_source_files_properties(${toolkit_sources} PROPERTIES INCLUDE_DIRECTORIES "${CUDAToolkit_INCLUDE_DIRS}")
  else()
    list(FILTER sources EXCLUDE REGEX "/(nccl|cublaslt|cuda_graph)/")  # C++ that needs the CUDA toolkit's headers
  endif()
  if(NOT sources)
    return()
  endif()
  # The CPU kernels: src/ops/cpu_clones.h tells how they get vectorised.
  set(cpu_kernels ${sources})
  list(FILTER cpu_kernels INCLUDE REGEX "_cpu\\.cpp$")
  if(cpu_kernels)
    set_source_files_properties(${cpu_kernels} PROPERTIES COMPILE_OPTIONS -O3)
  endif()
  add_library(longhaul_${name} OBJECT ${sources})
  target_include_directories(longhaul_${name} PUBLIC ${PROJECT_SOURCE_DIR}/include
                                              PRIVATE ${PROJECT_SOURCE_DIR}/src)
  target_link_libraries(longhaul_${name} PUBLIC fmt::fmt nlohmann_json::nlohmann_json
                                         PRIVATE longhaul_private_libraries)
  target_compile_options(longhaul_${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra>)
  if(LONGHAUL_HAS_CUDA)
    target_compile_definitions(longhaul_${name} PRIVATE LONGHAUL_HAS_CUDA=1)
    # CMake 3.25 does not know that nvcc 13 takes C++20.
    target_compile_options(longhaul_${name} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>)
    set_target_properties(longhaul_${name} PROPERTIES CUDA_STANDARD_REQUIRED OFF)
  endif()
  if(ARG_TORCH)
    target_link_libraries(longhaul_${name} PUBLIC longhaul_torch PRIVATE longhaul_openmp)
    longhaul_precompiled_torch(longhaul_${name})
  endif()
  set_property(GLOBAL APPEND PROPERTY LONGHAUL_LAYERS longhaul_${name})
endfunction()

# The first target that asks makes the precompiled header, the others reuse it.
function(longhaul_precompiled_torch target)
  get_property(owner GLOBAL PROPERTY LONGHAUL_PCH_OWNER)
  if(owner)
    target_precompile_headers(${target} REUSE_FROM ${owner})
  else()
    target_precompile_headers(${target} PRIVATE
      "$<$<COMPILE_LANGUAGE:CXX>:<ATen/core/Tensor.h$<ANGLE-R>>"
      "$<$<COMPILE_LANGUAGE:CXX>:<torch/csrc/autograd/custom_function.h$<ANGLE-R>>"
      "$<$<COMPILE_LANGUAGE:CXX>:<ATen/Parallel.h$<ANGLE-R>>")
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
    set_property(GLOBAL PROPERTY LONGHAUL_PCH_OWNER ${target})
  endif()
endfunction()
