// gemm() on CUDA. Which of cuBLASLt's ways is the fastest is measured when a product of some shape comes for
// the first time, and then remembered.
#include <ATen/Context.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <mutex>

#include "longhaul/core/error.h"
#include "longhaul/core/log.h"
#include "ops/cublaslt/product.h"
#include "ops/dispatch.h"
#include "ops/gemm_cuda.h"
#include "ops/timed_choice.h"

namespace longhaul::ops {
namespace {

constexpr int kCandidates = 8;

// One a device; cuBLASLt's functions may be called from several threads with the same.
cublasLtHandle_t handle_of(c10::DeviceIndex device) {
  static std::mutex mutex;
  static std::map<c10::DeviceIndex, cublasLtHandle_t> handles;  // live as long as the program
  const std::lock_guard lock(mutex);
  cublasLtHandle_t& handle = handles[device];
  if (handle == nullptr && CublasLtLibrary::get().create(&handle) != CUBLAS_STATUS_SUCCESS) {
    throw EnvironmentError("cuBLASLt cannot be started on GPU {}", static_cast<int>(device));
  }
  return handle;
}

StridedMatrix matrix_of(const at::Tensor& x) {
  return {x.size(0), x.size(1), x.stride(0), x.stride(1)};
}

uint32_t alignment_of(const void* pointer) {
  return 1U << std::min(std::countr_zero(reinterpret_cast<uintptr_t>(pointer)), 8);  // 256 is what cuBLASLt assumes
}

cudaDataType_t cuda_type(const at::Tensor& x) {
  return x.scalar_type() == at::kBFloat16 ? CUDA_R_16BF : CUDA_R_32F;
}

std::vector<int64_t> key_of(const ProductSpec& s, c10::DeviceIndex device) {
  std::vector<int64_t> key;
  for (const ColumnMajorFactor& x : {s.layout.left, s.layout.right, s.layout.out}) {
    key.insert(key.end(), {x.rows, x.columns, x.leading, x.transposed});
  }
  key.insert(key.end(), {s.factors, s.out, s.compute, s.accumulate, s.has_bias, s.alignment_left, s.alignment_right,
                         s.alignment_out, s.alignment_bias, s.deterministic, device});
  return key;
}

// The ways that were chosen, by the product's key; nothing for products that cuBLASLt has no way for.
class Ways {
 public:
  std::optional<cublasLtMatmulAlgo_t> of(const Product& product, const ProductSpec& spec,
                                         const ProductPointers& pointers, const at::Tensor& out) {
    const c10::Device device = out.device();
    const std::vector<int64_t> key = key_of(spec, device.index());
    const std::lock_guard lock(mutex_);  // held while timing: another thread's kernels would be timed along
    if (const auto known = known_.find(key); known != known_.end()) return known->second;
    const std::vector<cublasLtMatmulAlgo_t> ways = product.ways(spec.deterministic ? 1 : kCandidates, pointers.bias);
    std::optional<cublasLtMatmulAlgo_t> best;
    if (!ways.empty()) best = ways[0];
    if (ways.size() > 1) {
      if (stream_is_capturing(device)) return best;  // nothing can be timed
      try {
        best = ways[fastest(product, ways, spec.accumulate, pointers, out)];
      } catch (const c10::OutOfMemoryError&) {  // asking again would cost the allocator all that it keeps, each time
        log::info("too little memory to try ways to compute a product of {} by {}: cuBLASLt's first choice is taken",
                  out.size(0), out.size(1));
      }
    }
    known_.emplace(key, best);
    return best;
  }

 private:
  static size_t fastest(const Product& product, const std::vector<cublasLtMatmulAlgo_t>& ways, bool accumulate,
                        ProductPointers pointers, const at::Tensor& out) {
    at::Tensor scratch;
    if (accumulate) {  // else `out` is written anew afterwards
      scratch = at::empty_strided(out.sizes(), out.strides(), out.options());
      pointers.out = scratch.mutable_data_ptr();
    }
    const auto stream = static_cast<cudaStream_t>(current_cuda_stream(out.device()));
    return fastest_of(out.device(), ways.size(), [&](size_t i) { product.run(ways[i], pointers, stream); });
  }

  std::mutex mutex_;
  std::map<std::vector<int64_t>, std::optional<cublasLtMatmulAlgo_t>> known_;
};

}  // namespace

bool cuda::gemm(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out, bool accumulate,
                const at::Tensor& bias) {
  const at::ScalarType type = a.scalar_type();
  if ((type != at::kFloat && type != at::kBFloat16) || a.size(1) == 0) return false;
  if (bias.defined() && bias.scalar_type() != out.scalar_type()) return false;
  const auto layout = product_layout(matrix_of(a), matrix_of(b), matrix_of(out));
  if (!layout) return false;
  const auto& context = at::globalContext();
  ProductPointers pointers{b.const_data_ptr(), a.const_data_ptr(), out.mutable_data_ptr(),
                           bias.defined() ? bias.const_data_ptr() : nullptr, nullptr};
  const bool tf32 = type == at::kFloat && context.allowTF32CuBLAS();
  const ProductSpec spec{*layout,
                         cuda_type(a),
                         cuda_type(out),
                         tf32 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F,
                         accumulate,
                         bias.defined(),
                         alignment_of(pointers.left),
                         alignment_of(pointers.right),
                         alignment_of(pointers.out),
                         alignment_of(pointers.bias),
                         context.deterministicAlgorithms()};
  const c10::DeviceGuard guard(out.device());
  const Product product(handle_of(out.device().index()), spec);
  // The allocator gives it to nobody else before this stream has come past the product.
  const at::Tensor workspace = at::empty({int64_t{kProductWorkspace}}, out.options().dtype(at::kByte));
  pointers.workspace = workspace.mutable_data_ptr();
  static Ways ways;
  const auto way = ways.of(product, spec, pointers, out);
  if (!way) return false;
  product.run(*way, pointers, static_cast<cudaStream_t>(current_cuda_stream(out.device())));
  return true;
}

}  // namespace longhaul::ops
