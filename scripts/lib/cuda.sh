# NVIDIA's libraries and compiler from wheels, beside LibTorch, where its CUDA half looks for them. Sourced after common.sh.

NVIDIA="$DEPS/libtorch/nvidia"
CUDA_TOOLKIT_VERSION=13.0.2

has_gpu_driver() {
  command -v nvidia-smi >/dev/null || ldconfig_lists libcuda.so.1 || compgen -G '/usr/local/nvidia/lib*/libcuda.so.1' >/dev/null
}

ldconfig_lists() { PATH="$PATH:/sbin:/usr/sbin" ldconfig -p | grep -qF "$1 "; }

# The machine's own CUDA compiler, if it has one of LibTorch's major version.
system_nvcc() {
  local candidate
  for candidate in "${CUDACXX:-}" "$(command -v nvcc || true)" "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc"; do
    if [ -n "$candidate" ] && "$candidate" --version 2>/dev/null | grep -q "release ${CUDA_TOOLKIT_VERSION%%.*}\."; then echo "$candidate"; return; fi
  done
}

# What LibTorch's CUDA half links and nobody has, by the names of the libraries. NVRTC is loaded by cuDNN.
missing_cuda_libraries() {
  env -u LD_LIBRARY_PATH ldd "$DEPS/libtorch/torch/lib/libtorch_cuda.so" | sed -n 's/^[[:space:]]*\(lib[^ ]*\) => not found.*/\1/p' | sort -u
  ldconfig_lists libnvrtc.so.13 || [ -e "$NVIDIA/cu13/lib/libnvrtc.so.13" ] || echo libnvrtc.so.13
}

# The wheel that brings a library: a part of cuda-toolkit ("+cublas"), or a wheel of its own.
wheel_of() {
  case "$1" in
    libcudart.*) echo +cudart ;;
    libcublas*) echo +cublas ;;
    libcufft.*) echo +cufft ;;
    libcufile.*) echo +cufile ;;
    libcupti.*) echo +cupti ;;
    libcurand.*) echo +curand ;;
    libcusolver.*) echo +cusolver ;;
    libcusparse.*) echo +cusparse ;;
    libnvJitLink.*) echo +nvjitlink ;;
    libnvrtc.*) echo +nvrtc ;;
    libcudnn.*) echo nvidia-cudnn-cu13==9.19.0.56 ;;
    libcusparseLt.*) echo nvidia-cusparselt-cu13==0.8.0 ;;
    libnccl.*) echo nvidia-nccl-cu13==2.28.9 ;;
    libnvshmem_host.*) echo nvidia-nvshmem-cu13==3.4.5 ;;
    *) die "LibTorch's CUDA library wants $1, which no known wheel brings" ;;
  esac
}

# fetch_nvidia WHEEL…: puts them beside LibTorch.
fetch_nvidia() {
  local partial="$DEPS/nvidia.partial" parts=() others=() wheel
  for wheel in "$@"; do
    case "$wheel" in +*) parts+=("${wheel#+}") ;; *) others+=("$wheel") ;; esac
  done
  rm -rf "$partial"
  # The versions of the parts are those of the toolkit; the others would draw in any version of the parts.
  [ ${#parts[@]} -eq 0 ] || WATCH="$DEPS/fetch/tmp" run_logged "$DEPS/log/cuda-toolkit.log" fetch_pip install --no-compile --target "$partial/toolkit" \
    "cuda-toolkit[$(IFS=,; echo "${parts[*]}")]==$CUDA_TOOLKIT_VERSION"
  [ ${#others[@]} -eq 0 ] || WATCH="$DEPS/fetch/tmp" run_logged "$DEPS/log/nvidia.log" fetch_pip install --no-deps --no-compile --target "$partial/others" \
    "${others[@]}"
  local folder
  for folder in "$partial"/*/nvidia; do cp -rlf "$folder" "$DEPS/libtorch/"; done
  rm -rf "$partial"
}

install_cuda_libraries() {
  local missing wheels
  missing=$(missing_cuda_libraries)
  [ -n "$missing" ] || return 0
  wheels=$(for library in $missing; do wheel_of "$library"; done | sort -u)
  say "fetching NVIDIA's libraries that LibTorch's CUDA half wants: ${wheels//$'\n'/ }"
  # shellcheck disable=SC2086
  fetch_nvidia $wheels
  missing=$(missing_cuda_libraries)
  [ -z "$missing" ] || die "after that, LibTorch's CUDA library still misses: ${missing//$'\n'/ }"
}

# nvcc, and the headers of what the CUDA code calls.
install_nvcc() {
  [ -z "$(system_nvcc)" ] && [ ! -e "$NVIDIA/cu13/.nvcc-$CUDA_TOOLKIT_VERSION" ] || return 0
  say "fetching NVIDIA's CUDA compiler"
  # nvcc's own wheel would take any version of its parts, but they only fit each other.
  fetch_nvidia nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-cccl==13.0.85 +cudart +cublas nvidia-nccl-cu13==2.28.9
  # As linkers and CMake look for them.
  ln -sf libcudart.so.13 "$NVIDIA/cu13/lib/libcudart.so"
  ln -sfn lib "$NVIDIA/cu13/lib64"
  touch "$NVIDIA/cu13/.nvcc-$CUDA_TOOLKIT_VERSION"
}

# For cmake: the compiler from wheels, where the machine has none of its own. Fails where there is none of either.
use_fetched_nvcc() {
  [ -z "$(system_nvcc)" ] && [ -e "$NVIDIA/cu13/bin/nvcc" ] || return 1
  export CUDACXX="$NVIDIA/cu13/bin/nvcc" NCCL_HOME="$NVIDIA/nccl"
}
