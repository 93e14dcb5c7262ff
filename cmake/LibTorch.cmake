# LibTorch from the unpacked `torch` wheel, as the imported target longhaul_torch.
#
# The wheel carries its own {fmt} headers; its include folders therefore come last (-idirafter), so that the
# system's {fmt}, which the system's spdlog is built against, is the one that everybody sees.
set(LONGHAUL_TORCH_ROOT "" CACHE PATH "Folder that holds torch/ of the unpacked torch wheel")
set(_longhaul_torch_roots ${LONGHAUL_TORCH_ROOT} ${PROJECT_SOURCE_DIR}/.deps/libtorch)
find_path(LONGHAUL_TORCH_DIR NAMES lib/libtorch_cpu.so PATHS ${_longhaul_torch_roots}
          PATH_SUFFIXES torch NO_DEFAULT_PATH)
if(NOT LONGHAUL_TORCH_DIR)
  message(FATAL_ERROR "LibTorch was not found under: ${_longhaul_torch_roots}. Run scripts/setup, "
                      "or set LONGHAUL_TORCH_ROOT to the folder that holds the unpacked torch wheel.")
endif()

function(longhaul_import_torch_library name)
  add_library(${name} SHARED IMPORTED)
  set_target_properties(${name} PROPERTIES IMPORTED_LOCATION ${LONGHAUL_TORCH_DIR}/lib/lib${name}.so
                                           IMPORTED_NO_SONAME ON)
endfunction()

longhaul_import_torch_library(c10)
longhaul_import_torch_library(torch_cpu)
add_library(longhaul_torch INTERFACE)
target_compile_options(longhaul_torch INTERFACE
  "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-idirafter ${LONGHAUL_TORCH_DIR}/include>"
  "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-idirafter ${LONGHAUL_TORCH_DIR}/include/torch/csrc/api/include>")
target_link_libraries(longhaul_torch INTERFACE torch_cpu c10)

# libtorch_cpu.so needs libcudart and libcupti: from a toolkit, or from the small wheels that scripts/setup adds.
file(GLOB LONGHAUL_NVIDIA_LIBRARY_DIRS LIST_DIRECTORIES true
     ${LONGHAUL_TORCH_DIR}/../nvidia/*/lib ${LONGHAUL_TORCH_DIR}/../nvidia/*/lib64)
if(LONGHAUL_HAS_CUDA)
  list(APPEND LONGHAUL_NVIDIA_LIBRARY_DIRS ${CUDAToolkit_LIBRARY_DIR})
endif()
set(LONGHAUL_RPATH ${LONGHAUL_TORCH_DIR}/lib ${LONGHAUL_NVIDIA_LIBRARY_DIRS})
set(CMAKE_BUILD_RPATH ${LONGHAUL_RPATH})
foreach(dir IN LISTS LONGHAUL_RPATH)
  target_link_options(longhaul_torch INTERFACE "LINKER:-rpath-link,${dir}")
endforeach()
target_link_options(longhaul_torch INTERFACE "LINKER:--allow-shlib-undefined")
