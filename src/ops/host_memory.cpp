#include "longhaul/ops/host_memory.h"

#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <bit>
#include <iterator>
#include <map>
#include <mutex>
#include <unordered_map>

#include "ops/host_pages.h"

namespace longhaul::ops {
namespace {

constexpr int64_t kSmallest = int64_t{1} << 20;

// Eight sizes to each power of two, so that tensors of almost one size share blocks: at most 12.5 % are
// wasted.
int64_t block_size(int64_t bytes) {
  const int64_t step =
      std::max<int64_t>(static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(bytes))) / 8, int64_t{64} << 10);
  return (bytes + step - 1) / step * step;
}

struct Block {
  void* data;
  int64_t size;
  int64_t asked;  // by the tensor that has it
};

class KeepingAllocator final : public c10::Allocator {
 public:
  explicit KeepingAllocator(c10::Allocator* small) : small_(small) {}

  c10::DataPtr allocate(size_t bytes) override {
    const bool small = static_cast<int64_t>(bytes) < kSmallest;
    void* const data = small ? small_->raw_allocate(bytes) : take(static_cast<int64_t>(bytes))->data;
    return {data, data, &KeepingAllocator::release, c10::Device(c10::DeviceType::CPU)};
  }

  // oneDNN's scratch memory in LibTorch comes and goes as plain pointers.
  c10::DeleterFnPtr raw_deleter() const override { return &KeepingAllocator::release; }

  void copy_data(void* to, const void* from, std::size_t count) const override { default_copy_data(to, from, count); }

  HostMemory state() {
    const std::lock_guard lock(mutex_);
    return state_;
  }

  void reset_peak() {
    const std::lock_guard lock(mutex_);
    state_.tensors_peak = state_.tensors;
  }

  static KeepingAllocator& instance() {
    static KeepingAllocator* const allocator = new KeepingAllocator(c10::GetCPUAllocator());  // outlives all tensors
    return *allocator;
  }

 private:
  Block* take(int64_t bytes) {
    const std::lock_guard lock(mutex_);
    Block* const block = find_or_map(block_size(bytes));
    taken_.emplace(block->data, block);
    block->asked = bytes;
    state_.tensors += bytes;
    state_.tensors_peak = std::max(state_.tensors_peak, state_.tensors);
    state_.live += block->size;
    return block;
  }

  Block* find_or_map(int64_t size) {
    const auto found = kept_.lower_bound(size);
    if (found != kept_.end() && found->first <= size + size / 4) {
      Block* const block = found->second;
      kept_.erase(found);
      state_.kept -= block->size;
      peak_ = std::max(peak_, state_.live + block->size);
      return block;
    }
    peak_ = std::max(peak_, state_.live + size);
    trim(size);
    return new Block{map_pages(size), size, 0};
  }

  static void release(void* data) {
    KeepingAllocator& self = instance();
    // Only what begins on a page's border, as our blocks do and little else, is worth looking up.
    if (reinterpret_cast<uintptr_t>(data) % kPage != 0 || !self.give_back(data)) self.small_->raw_deallocate(data);
  }

  // False: `data` is none of our blocks.
  bool give_back(void* data) {
    const std::lock_guard lock(mutex_);
    const auto taken = taken_.extract(data);
    if (taken.empty()) return false;
    Block* const block = taken.mapped();
    state_.live -= block->size;
    state_.tensors -= block->asked;
    state_.kept += block->size;
    kept_.emplace(block->size, block);
    trim(0);
    return true;
  }

  // Unmaps kept blocks, the largest first, until `more` bytes fit below the limit.
  void trim(int64_t more) {
    while (!kept_.empty() && state_.live + state_.kept + more > peak_ + peak_ / 4) {
      const auto largest = std::prev(kept_.end());
      Block* const block = largest->second;
      kept_.erase(largest);
      state_.kept -= block->size;
      unmap_pages(block->data, block->size);
      delete block;
    }
  }

  c10::Allocator* small_;
  std::mutex mutex_;
  std::unordered_map<void*, Block*> taken_;  // by where they begin
  std::multimap<int64_t, Block*> kept_;      // by size
  HostMemory state_;
  int64_t peak_ = 0;  // of live
};

}  // namespace

void keep_host_memory() {
  c10::SetCPUAllocator(&KeepingAllocator::instance(), /*priority=*/1);
}

HostMemory host_memory() {
  return KeepingAllocator::instance().state();
}

void reset_host_memory_peak() {
  KeepingAllocator::instance().reset_peak();
}

}  // namespace longhaul::ops
