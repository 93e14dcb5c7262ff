// Tensors in page-locked memory of their own, with a lock that only remembers what it was asked for.
#include "ops/pinned_memory.h"

#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "longhaul/ops/device.h"
#include "ops/host_copies.h"
#include "ops/host_pages.h"

namespace longhaul::ops {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

bool mapped(void* page) {
  unsigned char in_memory = 0;
  return mincore(page, kPage, &in_memory) == 0 || errno != ENOMEM;
}

class FakeLock : public PageLock {
 public:
  std::string lock(void* data, int64_t bytes) override {
    asked.push_back(bytes);
    for (char* page = static_cast<char*>(data); page < static_cast<char*>(data) + bytes; page += kPage) {
      unsigned char in_memory = 0;
      EXPECT_EQ(mincore(page, kPage, &in_memory), 0);
      EXPECT_TRUE(in_memory & 1) << "a page that locking would have to find";
    }
    last = data;
    if (problem.empty()) locked.push_back(data);
    return problem;
  }
  void unlock(void* data) override {
    EXPECT_TRUE(mapped(data)) << "unmapped while it was locked";
    EXPECT_EQ(waits, 1) << "unlocked before copies are done";
    EXPECT_EQ(locked.back(), data);
    locked.pop_back();
  }
  void wait_for_copies() override {
    EXPECT_TRUE(mapped(last)) << "unmapped before copies are done";
    ++waits;
  }

  std::string problem;
  std::vector<int64_t> asked;
  std::vector<void*> locked;
  void* last = nullptr;
  int waits = 0;
};

TEST(PinnedMemory, TakesWholePagesAndNoMore) {
  const auto lock = std::make_shared<FakeLock>();
  const struct {
    std::vector<int64_t> sizes;
    c10::ScalarType type;
    int64_t bytes;
  } cases[] = {{{1}, at::kFloat, 4096},
               {{1024}, at::kFloat, 4096},
               {{1025}, at::kFloat, 8192},
               {{3, 700, 1000}, at::kBFloat16, 4202496},  // 4 200 000
               {{kMiB + 1}, at::kByte, kMiB + 4096}};
  for (const auto& c : cases) {
    lock->waits = 0;
    const at::Tensor tensor = locked_tensor(c.sizes, c.type, lock);
    EXPECT_EQ(lock->asked.back(), c.bytes);
    EXPECT_EQ(tensor.sizes(), c.sizes);
    EXPECT_EQ(tensor.scalar_type(), c.type);
    EXPECT_TRUE(tensor.is_contiguous() && tensor.is_cpu());
    EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.data_ptr()) % kPage, 0);
  }
  EXPECT_EQ(locked_tensor({0, 5}, at::kFloat, lock).numel(), 0);
  EXPECT_EQ(lock->asked.size(), std::size(cases)) << "nothing to lock";
}

TEST(PinnedMemory, LivesAsLongAsAView) {
  const auto lock = std::make_shared<FakeLock>();
  at::Tensor whole = locked_tensor({3 * kMiB}, at::kFloat, lock);
  void* const data = whole.data_ptr();
  whole.fill_(1);
  at::Tensor view = whole.narrow(0, 5, 10);
  whole.reset();
  EXPECT_EQ(lock->locked, std::vector<void*>{data});
  EXPECT_EQ(lock->waits, 0);
  EXPECT_EQ(view.sum().item<float>(), 10);
  view.reset();
  EXPECT_TRUE(lock->locked.empty());
  EXPECT_FALSE(mapped(data));
}

TEST(PinnedMemory, OutlivesWhoeverAskedForIt) {
  at::Tensor tensor;
  std::weak_ptr<FakeLock> left;
  {
    const auto lock = std::make_shared<FakeLock>();
    left = lock;
    tensor = locked_tensor({100}, at::kFloat, lock);
  }
  EXPECT_FALSE(left.expired());
  tensor.reset();
  EXPECT_TRUE(left.expired());
}

TEST(PinnedMemory, WhatCannotBeLockedIsOrdinaryMemory) {
  const auto lock = std::make_shared<FakeLock>();
  lock->problem = "no more may be locked";
  testing::internal::CaptureStderr();
  at::Tensor tensor = locked_tensor({1000}, at::kFloat, lock);
  tensor = locked_tensor({1000}, at::kFloat, lock);
  const std::string said = testing::internal::GetCapturedStderr();
  const size_t place = said.find(lock->problem);
  EXPECT_NE(place, std::string::npos) << said;
  EXPECT_EQ(said.find(lock->problem, place + 1), std::string::npos) << "it is said once\n" << said;
  EXPECT_EQ(tensor.fill_(2).sum().item<float>(), 2000);
  void* const data = tensor.data_ptr();
  lock->waits = 0;
  tensor.reset();
  EXPECT_EQ(lock->waits, 1) << "a copy may be under way all the same";
  EXPECT_TRUE(lock->locked.empty());  // and `unlock`, which would find nothing there, was not called
  EXPECT_FALSE(mapped(data));
}

TEST(PinnedMemory, AChildDoesNotShareIt) {
  const auto lock = std::make_shared<FakeLock>();
  const at::Tensor tensor = locked_tensor({1000}, at::kFloat, lock);
  const pid_t child = fork();
  if (child == 0) _exit(mapped(tensor.data_ptr()) ? 1 : 0);
  int status = -1;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(PinnedMemory, OnTheCpuItIsAnOrdinaryTensor) {
  const at::Tensor tensor = pinned_tensor({2, kMiB}, at::kFloat, c10::Device(c10::DeviceType::CPU));
  EXPECT_EQ(tensor.sizes(), (std::vector<int64_t>{2, kMiB}));
  EXPECT_EQ(tensor.scalar_type(), at::kFloat);
}

// LibTorch, too, takes it for pinned, so that its copies don't wait, and a tensor may be freed while it is copied.
TEST(CudaPinnedMemory, CopiesThereAndBack) {
  if (!cuda_problem().empty()) GTEST_SKIP() << cuda_problem();
  const c10::Device device(c10::DeviceType::CUDA, 0);
  const HostCopies copies(device);
  const at::Tensor back = copies.lasting_host_tensor({9 * kMiB + 3}, at::kFloat);
  EXPECT_TRUE(back.is_pinned());
  at::Tensor there = copies.lasting_host_tensor({9 * kMiB + 3}, at::kFloat).fill_(3);
  at::Tensor on_device = at::zeros(there.sizes(), there.options().device(device));
  copies.to_device(there, on_device).make_stream_wait();
  there.reset();
  copies.to_host(on_device, back).wait();
  EXPECT_EQ(back.min().item<float>(), 3);
  EXPECT_EQ(back.max().item<float>(), 3);
}

}  // namespace
}  // namespace longhaul::ops
