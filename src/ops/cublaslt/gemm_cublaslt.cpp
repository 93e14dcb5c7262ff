// gemm() on CUDA. Which of cuBLASLt's ways is the fastest is measured when a product of some shape comes for
// the first time, and then remembered.
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <c10/core/DeviceGuard.h>

#include <array>
#include <map>
#include <mutex>

#include "longhaul/core/error.h"
#include "longhaul/core/log.h"
#include "ops/cublaslt/product_tensors.h"
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

std::vector<int64_t> key_of(const ProductSpec& s, c10::DeviceIndex device) {
  std::vector<int64_t> key;
  for (const ColumnMajorFactor& x : {s.layout.left, s.layout.right, s.layout.out}) {
    key.insert(key.end(), {x.rows, x.columns, x.leading, x.transposed});
  }
  key.insert(key.end(),
             {s.factors, s.out, s.compute, s.accumulate, s.epilogue, s.aux_leading, s.alignment_left, s.alignment_right,
              s.alignment_out, s.alignment_bias, s.alignment_aux, s.deterministic, device});
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
    const std::vector<cublasLtMatmulAlgo_t> ways = product.ways(spec.deterministic ? 1 : kCandidates, pointers);
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
    if (accumulate) {  // else `out` is written anew afterwards, as is what GELU takes
      scratch = at::empty_strided(out.sizes(), out.strides(), out.options());
      pointers.out = scratch.mutable_data_ptr();
    }
    const auto stream = static_cast<cudaStream_t>(current_cuda_stream(out.device()));
    return fastest_of(out.device(), ways.size(), [&](size_t i) { product.run(ways[i], pointers, stream); });
  }

  std::mutex mutex_;
  std::map<std::vector<int64_t>, std::optional<cublasLtMatmulAlgo_t>> known_;
};

// False, and nothing done, where cuBLASLt has no such product.
bool multiply(const ProductTensors& tensors) {
  const auto spec = product_spec(tensors);
  if (!spec) return false;
  const at::Tensor& out = tensors.out;
  const c10::DeviceGuard guard(out.device());
  const Product product(CublasLtLibrary::get(), handle_of(out.device().index()), *spec);
  // The allocator gives it to nobody else before this stream has come past the product.
  const at::Tensor workspace = at::empty({int64_t{kProductWorkspace}}, out.options().dtype(at::kByte));
  ProductPointers pointers = product_pointers(tensors);
  pointers.workspace = workspace.mutable_data_ptr();
  static Ways ways;
  const auto way = ways.of(product, *spec, pointers, out);
  if (!way) return false;
  product.run(*way, pointers, static_cast<cudaStream_t>(current_cuda_stream(out.device())));
  return true;
}

}  // namespace

bool cuda::gemm(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out, bool accumulate,
                const at::Tensor& bias) {
  const auto epilogue = bias.defined() ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT;
  return multiply({a, b, out, epilogue, bias, {}, accumulate});
}

bool cuda::gemm_gelu(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre, const at::Tensor& activated,
                     const at::Tensor& bias) {
  return multiply(product_with_gelu(a, b, pre, activated, bias));
}

bool cuda::gemm_gelu_gradient(const at::Tensor& a, const at::Tensor& b, const at::Tensor& pre, const at::Tensor& dpre) {
  return multiply(product_with_gelu_gradient(a, b, pre, dpre));
}

}  // namespace longhaul::ops
