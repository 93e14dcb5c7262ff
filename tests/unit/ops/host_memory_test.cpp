#include "longhaul/ops/host_memory.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

#include "longhaul/core/error.h"

namespace longhaul::ops {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

at::Tensor bytes(int64_t count) {
  return at::empty({count}, at::kByte);
}

TEST(HostMemory, HandsFreedBlocksOutAgain) {
  keep_host_memory();
  for (int64_t size : {2 * kMiB, 3 * kMiB, 50 * kMiB + 13}) {
    const void* first = bytes(size).data_ptr();
    const at::Tensor second = bytes(size - size / 100);
    EXPECT_EQ(second.data_ptr(), first) << size;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0);
  }
}

TEST(HostMemory, CountsWhatTensorsAskFor) {
  keep_host_memory();
  const int64_t before = host_memory().tensors;
  reset_host_memory_peak();
  {
    const at::Tensor one = bytes(3 * kMiB + 17);
    EXPECT_EQ(host_memory().tensors, before + 3 * kMiB + 17);
    { const at::Tensor two = bytes(5 * kMiB); }
    const at::Tensor again = bytes(5 * kMiB - 1), small = bytes(1000);
    EXPECT_EQ(host_memory().tensors, before + 8 * kMiB + 16)
        << "a block that is used again counts as it is asked for now";
  }
  EXPECT_EQ(host_memory().tensors, before);
  EXPECT_EQ(host_memory().tensors_peak, before + 8 * kMiB + 17);
  reset_host_memory_peak();
  EXPECT_EQ(host_memory().tensors_peak, before);
}

// oneDNN's way to scratch memory in LibTorch, for its BF16 products among others.
TEST(HostMemory, ComesAndGoesAsPlainPointers) {
  keep_host_memory();
  const HostMemory before = host_memory();
  c10::Allocator* const allocator = c10::GetCPUAllocator();
  void* const small = allocator->raw_allocate(100);
  void* const large = allocator->raw_allocate(3 * kMiB);
  std::memset(small, 1, 100);
  std::memset(large, 2, 3 * kMiB);
  EXPECT_EQ(host_memory().tensors, before.tensors + 3 * kMiB);
  allocator->raw_deallocate(large);
  allocator->raw_deallocate(small);
  EXPECT_EQ(host_memory().tensors, before.tensors);
  EXPECT_EQ(host_memory().live, before.live);
}

TEST(HostMemory, LiveTensorsDoNotOverlap) {
  keep_host_memory();
  std::vector<at::Tensor> tensors;
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 20; ++i) tensors.push_back(at::full({kMiB + i * 70001}, (round * 20 + i) % 256, at::kByte));
    for (size_t i = 0; i < tensors.size(); i += 3) tensors.erase(tensors.begin() + static_cast<int64_t>(i));
  }
  for (const at::Tensor& x : tensors) {
    const uint8_t value = x.const_data_ptr<uint8_t>()[0];
    const uint8_t* data = x.const_data_ptr<uint8_t>();
    for (int64_t i = 0; i < x.numel(); i += 997) ASSERT_EQ(data[i], value);
    ASSERT_EQ(data[x.numel() - 1], value);
  }
}

TEST(HostMemory, KeepsNoMoreThanAQuarterAboveThePeak) {
  keep_host_memory();
  const int64_t live = host_memory().live;
  int64_t peak = 0;
  for (int64_t size = 2 * kMiB; size < 200 * kMiB; size += size / 3) {  // no size fits the one before
    const at::Tensor x = bytes(size);
    peak = std::max(peak, host_memory().live);
    EXPECT_LE(host_memory().live + host_memory().kept, std::max(peak, 400 * kMiB) * 5 / 4 + kMiB);
  }
  EXPECT_EQ(host_memory().live, live);
  EXPECT_LE(host_memory().kept, 300 * kMiB);
}

TEST(HostMemory, ThreadsMayAllocateAndFree) {
  keep_host_memory();
  const int64_t live = host_memory().live;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 50; ++i) {
        const at::Tensor x = bytes(kMiB + (i % 7) * 300000), y = bytes(2 * kMiB);
        x.mutable_data_ptr<uint8_t>()[x.numel() - 1] = static_cast<uint8_t>(t);
        y.mutable_data_ptr<uint8_t>()[0] = static_cast<uint8_t>(t + 1);
        ASSERT_EQ(x.const_data_ptr<uint8_t>()[x.numel() - 1], t);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(host_memory().live, live);
}

TEST(HostMemory, OutOfMemoryIsTheMachinesFault) {
  keep_host_memory();
  EXPECT_THROW(bytes(int64_t{1} << 60), EnvironmentError);
}

}  // namespace
}  // namespace longhaul::ops
