# LibTorch from the unpacked `torch` wheel, as the imported target longhaul_torch. Longhaul's own build reads this file,
# and so does the installed LonghaulConfig.cmake, which sets LONGHAUL_TORCH_DEFAULT_ROOT to where it was then.
#
# The wheel carries its own {fmt} headers; its include folders therefore come last (-idirafter), so that the
# system's {fmt}, which the system's spdlog is built against, is the one that everybody sees.
if(TARGET longhaul_torch)
  return()
endif()
set(LONGHAUL_TORCH_ROOT "" CACHE PATH "Folder that holds torch/ of the unpacked torch wheel")
if(NOT LONGHAUL_TORCH_DEFAULT_ROOT)
  set(LONGHAUL_TORCH_DEFAULT_ROOT ${PROJECT_SOURCE_DIR}/.deps/libtorch)
endif()
set(_longhaul_torch_roots ${LONGHAUL_TORCH_ROOT} ${LONGHAUL_TORCH_DEFAULT_ROOT})
find_path(LONGHAUL_TORCH_DIR NAMES lib/libtorch_cpu.so PATHS ${_longhaul_torch_roots}
          PATH_SUFFIXES torch NO_DEFAULT_PATH)
if(NOT LONGHAUL_TORCH_DIR)
  message(FATAL_ERROR "LibTorch was not found under: ${_longhaul_torch_roots}. Run scripts/setup, "
                      "or set LONGHAUL_TORCH_ROOT to the folder that holds the unpacked torch wheel.")
endif()

function(longhaul_import_torch_library name)
  if(NOT TARGET ${name})
    add_library(${name} SHARED IMPORTED)
    set_target_properties(${name} PROPERTIES IMPORTED_LOCATION ${LONGHAUL_TORCH_DIR}/lib/lib${name}.so
                                             IMPORTED_NO_SONAME ON)
  endif()
endfunction()

longhaul_import_torch_library(c10)
longhaul_import_torch_library(torch_cpu)
add_library(longhaul_torch INTERFACE IMPORTED)
target_compile_options(longhaul_torch INTERFACE
  "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-idirafter ${LONGHAUL_TORCH_DIR}/include>"
  "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-idirafter ${LONGHAUL_TORCH_DIR}/include/torch/csrc/api/include>")
target_link_libraries(longhaul_torch INTERFACE torch_cpu c10)

# libtorch_cpu.so needs libcudart and libcupti: from the small wheels that scripts/setup adds, or from a toolkit.
file(GLOB LONGHAUL_NVIDIA_LIBRARY_DIRS LIST_DIRECTORIES true
     ${LONGHAUL_TORCH_DIR}/../nvidia/*/lib ${LONGHAUL_TORCH_DIR}/../nvidia/*/lib64)
foreach(library cudart cupti)
  find_path(LONGHAUL_${library}_DIR lib${library}.so.13
            PATHS ${LONGHAUL_NVIDIA_LIBRARY_DIRS} ${CUDAToolkit_LIBRARY_DIR} $ENV{CUDA_HOME} /usr/local/cuda
            PATH_SUFFIXES lib64 lib extras/CUPTI/lib64 NO_DEFAULT_PATH)
  mark_as_advanced(LONGHAUL_${library}_DIR)
  if(LONGHAUL_${library}_DIR)
    list(APPEND LONGHAUL_NVIDIA_LIBRARY_DIRS ${LONGHAUL_${library}_DIR})
  endif()
endforeach()

# Every program that links it finds these libraries when it starts, installed or not, without LD_LIBRARY_PATH. It must
# be the old DT_RPATH: unlike DT_RUNPATH, that also serves the libraries that LibTorch in its turn loads.
set(LONGHAUL_RPATH ${LONGHAUL_TORCH_DIR}/lib ${LONGHAUL_NVIDIA_LIBRARY_DIRS})
list(REMOVE_DUPLICATES LONGHAUL_RPATH)
foreach(dir IN LISTS LONGHAUL_RPATH)
  target_link_options(longhaul_torch INTERFACE "LINKER:-rpath,${dir}" "LINKER:-rpath-link,${dir}")
endforeach()
target_link_options(longhaul_torch INTERFACE "LINKER:--disable-new-dtags" "LINKER:--allow-shlib-undefined")
