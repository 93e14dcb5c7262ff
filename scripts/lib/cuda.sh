# NVIDIA's libraries and compiler from wheels, beside LibTorch, where its CUDA half looks for them. Sourced after common.sh.

NVIDIA="$DEPS/libtorch/nvidia"
CUDA_TOOLKIT_VERSION=13.0.2
CUDA_DRIVER=580  # the oldest for that

ldconfig_lists() {
  local all
  all=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null) || return 1
  [[ "$all" == *$'\t'"$1 "* ]]
}

# Whether this machine has a GPU that LibTorch can use; where NVIDIA's tools are there and it has none, says why.
has_usable_gpu() {
  local answer version seen code=0
  if ! command -v nvidia-smi >/dev/null; then
    ldconfig_lists libcuda.so.1 || compgen -G '/usr/local/nvidia/lib*/libcuda.so.1' >/dev/null
    return
  fi
  answer=$(timeout 60 nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>&1) || code=$?
  version=$(grep -m 1 -E '^[0-9]+\.' <<<"$answer") || true  # of the first GPU
  if [ "$code" = 0 ] && [ -n "$version" ]; then
    if [ "${version%%.*}" -ge "$CUDA_DRIVER" ]; then return 0; fi
    seen="the NVIDIA driver is $version; GPUs want $CUDA_DRIVER or later, for CUDA ${CUDA_TOOLKIT_VERSION%%.*}"
  elif [ "$code" = 124 ]; then
    seen="nvidia-smi has given no answer in a minute"
  else
    answer=${answer%%$'\n'*}
    seen="nvidia-smi lists no GPU (it says '${answer:-nothing}' and exits with $code)"
  fi
  say "$seen: this will be set up for the CPU; scripts/setup --gpu sets it up for GPUs all the same"
  return 1
}

# The machine's own CUDA compiler, if it has one of LibTorch's major version.
system_nvcc() {
  local candidate version
  for candidate in "${CUDACXX:-}" "$(command -v nvcc || true)" "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc"; do
    [ -n "$candidate" ] || continue
    version=$("$candidate" --version 2>/dev/null) || continue
    if [[ "$version" == *"release ${CUDA_TOOLKIT_VERSION%%.*}."* ]]; then echo "$candidate"; return; fi
  done
}

fetched_nvcc() {
  if [ -e "$NVIDIA/cu13/.nvcc-$CUDA_TOOLKIT_VERSION" ]; then echo "$NVIDIA/cu13/bin/nvcc"; fi
}

cuda_compiler() {
  local nvcc
  nvcc=$(system_nvcc)
  echo "${nvcc:-$(fetched_nvcc)}"
}

# For cmake: exports the CUDA compiler that it is to take; fails where there is none.
use_nvcc() {
  local nvcc
  nvcc=$(cuda_compiler)
  [ -n "$nvcc" ] || return 1
  export CUDACXX="$nvcc"
  if [ -e "$NVIDIA/nccl/include/nccl.h" ]; then export NCCL_HOME="${NCCL_HOME:-$NVIDIA/nccl}"; fi
}

# What LibTorch's CUDA half links and nobody has, by the names of the libraries. NVRTC is loaded by cuDNN.
missing_cuda_libraries() {
  local library="$DEPS/libtorch/torch/lib/libtorch_cuda.so"
  [ -e "$library" ] || die "LibTorch in .deps/libtorch has no CUDA half ($library is missing): remove .deps/libtorch, and run scripts/setup again"
  env -u LD_LIBRARY_PATH ldd "$library" | sed -n 's/^[[:space:]]*\(lib[^ ]*\) => not found.*/\1/p' | sort -u
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

# fetch_nvidia WHEEL…: puts them beside LibTorch, with their licences.
fetch_nvidia() {
  local partial="$DEPS/nvidia.partial" copying="$DEPS/libtorch/.copying" parts=() others=() wheel folder
  for wheel in "$@"; do
    case "$wheel" in +*) parts+=("${wheel#+}") ;; *) others+=("$wheel") ;; esac
  done
  rm -rf "$partial"
  # The versions of the parts are those of the toolkit; the others would draw in any version of the parts.
  [ ${#parts[@]} -eq 0 ] || WATCH="$DEPS/fetch/tmp" run_logged "$DEPS/log/cuda-toolkit.log" fetch_pip install --no-compile --target "$partial/toolkit" \
    "cuda-toolkit[$(IFS=,; echo "${parts[*]}")]==$CUDA_TOOLKIT_VERSION"
  [ ${#others[@]} -eq 0 ] || WATCH="$DEPS/fetch/tmp" run_logged "$DEPS/log/nvidia.log" fetch_pip install --no-deps --no-compile --target "$partial/others" \
    "${others[@]}"
  echo "$@" > "$copying"
  for folder in "$partial"/*/nvidia "$partial"/*/nvidia_*.dist-info; do
    cp -rlf "$folder" "$DEPS/libtorch/" 2>/dev/null || cp -rf "$folder" "$DEPS/libtorch/"  # without hard links, where there are none
  done
  rm -rf "$partial" "$copying"
}

# What an interrupted set-up left.
finish_nvidia() {
  rm -rf "$DEPS/nvidia.partial"
  # shellcheck disable=SC2046
  if [ -e "$DEPS/libtorch/.copying" ]; then fetch_nvidia $(cat "$DEPS/libtorch/.copying"); fi
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
  [ -z "$(cuda_compiler)" ] || return 0
  say "fetching NVIDIA's CUDA compiler"
  # nvcc's own wheel would take any version of its parts, but they only fit each other.
  fetch_nvidia nvidia-cuda-nvcc==13.0.88 nvidia-nvvm==13.0.88 nvidia-cuda-crt==13.0.88 nvidia-cuda-cccl==13.0.85 +cudart +cublas
  # As linkers and CMake look for them.
  ln -sf libcudart.so.13 "$NVIDIA/cu13/lib/libcudart.so"
  ln -sfn lib "$NVIDIA/cu13/lib64"
  touch "$NVIDIA/cu13/.nvcc-$CUDA_TOOLKIT_VERSION"
}

# A toolkit has no NCCL.
install_nccl_header() {
  local nvcc folder
  nvcc=$(cuda_compiler)
  [ -n "$nvcc" ] || return 0
  nvcc=$(readlink -f "$(command -v "$nvcc")")
  for folder in "$NVIDIA/nccl/include" "${NCCL_HOME:-/usr}/include" /usr/include /usr/local/include "$(dirname "$(dirname "$nvcc")")"/{,targets/*/}include; do
    [ ! -e "$folder/nccl.h" ] || return 0
  done
  say "fetching NCCL, whose header the CUDA code wants"
  fetch_nvidia nvidia-nccl-cu13==2.28.9
}
