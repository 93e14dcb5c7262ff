#include "ops/pinned_memory.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <sys/mman.h>

#include <exception>
#include <mutex>
#include <utility>

#include "longhaul/core/log.h"
#include "longhaul/core/progress.h"
#include "ops/cuda_host_memory.h"
#include "ops/dispatch.h"
#include "ops/host_pages.h"

namespace longhaul::ops {
namespace {

constexpr int64_t kSmallest = int64_t{1} << 20;  // bytes

int64_t bytes_of(at::IntArrayRef sizes, c10::ScalarType type) {
  return c10::multiply_integers(sizes) * static_cast<int64_t>(c10::elementSize(type));
}

// Has the system find the pages, by all threads: locking them alone would do that by one.
void touch(void* data, int64_t bytes) {
  auto* const begin = static_cast<volatile char*>(data);
  at::parallel_for(0, bytes / kPage, /*grain_size=*/512, [&](int64_t first, int64_t last) {
    for (int64_t page = first; page < last; ++page) begin[page * kPage] = 0;
  });
}

void warn_once(int64_t bytes, const std::string& problem) {
  static std::once_flag told;
  std::call_once(told, [&] {
    log::warning_here(
        "{} of host memory can't be page-locked ({}): copies between it and the GPU will be slower, and hold up the host. "
        "It wants free memory, and a container's limit that allows for it",
        format_bytes(static_cast<double>(bytes)), problem);
  });
}

// Locked where they can be.
class Pages {
 public:
  Pages(int64_t bytes, std::shared_ptr<PageLock> pages)
      : bytes_(bytes),
        pages_(std::move(pages)),
        data_(map_pages(bytes), [bytes](void* data) { unmap_pages(data, bytes); }) {
    // A child process would share the pages until one of the two writes, and this one then write to another page than
    // the device's.
    madvise(data(), bytes_, MADV_DONTFORK);
    touch(data(), bytes_);
    const std::string problem = pages_->lock(data(), bytes_);
    locked_ = problem.empty();
    if (!locked_) warn_once(bytes_, problem);
  }
  ~Pages() {
    pages_->wait_for_copies();
    if (locked_) pages_->unlock(data());
  }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

  void* data() const { return data_.get(); }

 private:
  const int64_t bytes_;
  const std::shared_ptr<PageLock> pages_;
  const std::shared_ptr<void> data_;
  bool locked_ = false;
};

class CudaPageLock final : public PageLock {
 public:
  explicit CudaPageLock(c10::Device device) : device_(device) {}

  std::string lock(void* data, int64_t bytes) override {
    const c10::DeviceGuard guard(device_);  // else another one would be woken
    const char* problem = "this build has no CUDA code";
    const bool locked =
        call_cuda(LONGHAUL_CUDA_KERNEL(cuda::lock_host_memory), data, static_cast<size_t>(bytes), &problem);
    return locked ? "" : problem;
  }

  void unlock(void* data) override {
    attempt([&] { call_cuda(LONGHAUL_CUDA_KERNEL(cuda::unlock_host_memory), data); });
  }

  void wait_for_copies() override {
    attempt([&] { c10::impl::VirtualGuardImpl(device_.type()).synchronizeDevice(device_.index()); });
  }

 private:
  // A device that failed copies nothing any more, and holds no memory.
  template <typename Call>
  void attempt(const Call& call) const {
    try {
      const c10::DeviceGuard guard(device_);
      call();
    } catch (const std::exception&) {
    }
  }

  const c10::Device device_;
};

}  // namespace

at::Tensor locked_tensor(at::IntArrayRef sizes, c10::ScalarType type, const std::shared_ptr<PageLock>& pages) {
  const auto options = at::TensorOptions().dtype(type);
  const int64_t bytes = (bytes_of(sizes, type) + kPage - 1) / kPage * kPage;
  if (bytes == 0) return at::empty(sizes, options);
  const auto memory = std::make_shared<Pages>(bytes, pages);
  return at::from_blob(
      memory->data(), sizes, [memory](void*) {}, options);
}

at::Tensor pinned_tensor(at::IntArrayRef sizes, c10::ScalarType type, c10::Device device) {
  if (device.is_cpu() || bytes_of(sizes, type) < kSmallest)
    return at::empty(sizes, at::TensorOptions().dtype(type).pinned_memory(!device.is_cpu()));
  return locked_tensor(sizes, type, std::make_shared<CudaPageLock>(device));
}

}  // namespace longhaul::ops
