# System libraries (scripts/setup installs them).
find_package(Threads REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(SIMDJSON REQUIRED IMPORTED_TARGET simdjson)
pkg_check_modules(ZLIB REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)

# MPI, through the pkg-config file of Open MPI's C interface: CMake's own search would want a C compiler too.
pkg_check_modules(MPI IMPORTED_TARGET ompi-c)
if(NOT MPI_FOUND)
  message(FATAL_ERROR "Open MPI's development files were not found (pkg-config knows no ompi-c). "
                      "Run scripts/setup, or install libopenmpi-dev and openmpi-bin.")
endif()

# OpenMP with the runtime that LibTorch brings: two in one process would fight over the cores.
add_library(longhaul_openmp INTERFACE)
find_library(LONGHAUL_GOMP NAMES libgomp.so.1 PATHS ${LONGHAUL_TORCH_DIR}/lib NO_DEFAULT_PATH)
target_link_libraries(longhaul_openmp INTERFACE ${LONGHAUL_GOMP})
