// Through CUDA's runtime, and the virtual functions of LibTorch's allocator, which gives a recording a pool of its own:
// nobody else may get memory that a replay writes to.
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <cuda_runtime_api.h>

#include <atomic>
#include <chrono>

#include "longhaul/core/error.h"
#include "longhaul/core/log.h"
#include "longhaul/core/progress.h"
#include "ops/device_graph.h"

namespace longhaul::ops {
namespace {

using c10::cuda::CUDACachingAllocator::CUDAAllocator;
using c10::impl::VirtualGuardImpl;

void check(cudaError_t error, const char* what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // or the next launch would report it
  throw EnvironmentError("{} failed: {}. trainer.cuda_graphs=none does without", what, cudaGetErrorString(error));
}

// LibTorch counts its own pools from 1 on.
c10::MempoolId_t new_pool() {
  static std::atomic<c10::CaptureId_t> last{c10::CaptureId_t{1} << 62};
  return {++last, 0};
}

class CudaGraph final : public DeviceGraph {
 public:
  explicit CudaGraph(c10::Device device)
      : device_(device),
        guard_(device.type()),
        stream_(guard_.getStreamFromGlobalPool(device)),
        allocator_(static_cast<CUDAAllocator*>(c10::getDeviceAllocator(device.type()))),
        pool_(new_pool()) {}

  ~CudaGraph() override {
    if (graph_ == nullptr) return;
    guard_.synchronizeDevice(device_.index());  // a replay may be under way
    cudaGraphExecDestroy(graph_);
    allocator_->releasePool(device_.index(), pool_);
  }

  void warm_up(const std::function<void()>& work) override {
    const c10::Stream caller = guard_.getStream(device_);
    order(caller, stream_);
    {
      const c10::StreamGuard on_stream(stream_);
      work();
    }
    order(stream_, caller);
  }

  void record(const std::function<void()>& work) override {
    LONGHAUL_CHECK(graph_ == nullptr, "a graph is recorded twice");
    const auto start = std::chrono::steady_clock::now();
    // The memory that the warm-up used would lie idle from now on.
    guard_.synchronizeDevice(device_.index());
    allocator_->emptyCache();
    const int64_t before = reserved();
    cudaGraph_t recorded = nullptr;
    try {
      recorded = capture(work);
      check(cudaGraphInstantiateWithFlags(&graph_, recorded, 0), "cudaGraphInstantiate");
    } catch (...) {
      if (recorded != nullptr) cudaGraphDestroy(recorded);
      allocator_->releasePool(device_.index(), pool_);
      throw;
    }
    size_t nodes = 0;
    cudaGraphGetNodes(recorded, nullptr, &nodes);
    cudaGraphDestroy(recorded);
    log::info("recorded a CUDA graph of {} operations in {:.2f} s; it keeps {}", nodes,
              std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
              format_bytes(static_cast<double>(reserved() - before)));
  }

  void replay() override {
    LONGHAUL_CHECK(graph_ != nullptr, "a graph is replayed before it is recorded");
    check(cudaGraphLaunch(graph_, static_cast<cudaStream_t>(guard_.getStream(device_).native_handle())),
          "cudaGraphLaunch");
  }

 private:
  // What `second` is given from now on comes after what `first` holds.
  void order(const c10::Stream& first, const c10::Stream& second) const {
    c10::Event reached(device_.type());
    reached.record(first);
    reached.block(second);
  }

  int64_t reserved() const {
    return allocator_->getDeviceStats(device_.index())
        .reserved_bytes[static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE)]
        .current;
  }

  cudaGraph_t capture(const std::function<void()>& work) {
    const c10::StreamGuard on_stream(stream_);
    const auto stream = static_cast<cudaStream_t>(stream_.native_handle());
    // The backward takes memory on a thread of its own; so the pool is found by the stream.
    allocator_->beginAllocateToPool(device_.index(), pool_, [stream](cudaStream_t asking) { return asking == stream; });
    // Of this thread alone: others, such as NCCL's watchdog, go on asking the device.
    cudaError_t error = cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal);
    std::exception_ptr problem;
    cudaGraph_t recorded = nullptr;
    if (error == cudaSuccess) {
      try {
        work();
      } catch (...) {
        problem = std::current_exception();
      }
      error = cudaStreamEndCapture(stream, &recorded);
    }
    allocator_->endAllocateToPool(device_.index(), pool_);
    if (problem) {
      if (recorded != nullptr) cudaGraphDestroy(recorded);
      cudaGetLastError();
      std::rethrow_exception(problem);
    }
    check(error, "recording a CUDA graph");
    return recorded;
  }

  const c10::Device device_;
  const VirtualGuardImpl guard_;
  const c10::Stream stream_;
  CUDAAllocator* const allocator_;
  const c10::MempoolId_t pool_;
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace

std::unique_ptr<DeviceGraph> cuda_graph(c10::Device device) {
  return std::make_unique<CudaGraph>(device);
}

}  // namespace longhaul::ops
