// Ranks with a GPU each: threads of this process, on as many GPUs as there are, up to 8. A machine with a single GPU
// still loads NCCL, makes groups and runs every operation with itself.
#include <gtest/gtest.h>

#ifdef LONGHAUL_HAS_CUDA
#include <cuda_runtime_api.h>

#include <atomic>
#include <iostream>
#include <vector>

#include "comm/nccl/cuda_handles.h"
#include "comm/nccl/nccl_library.h"
#include "longhaul/comm/error.h"
#include "longhaul/comm/nccl_communicator.h"
#include "longhaul/comm/thread_communicator.h"
#include "unit/comm/conformance.h"

namespace longhaul::comm {
namespace {

int gpus() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? std::min(count, 8) : 0;
}

conformance::Place on_gpu() {
  return {.allocate =
              [](size_t bytes) {
                void* data = nullptr;
                check_cuda(cudaMalloc(&data, bytes + 1), "cudaMalloc");
                return data;
              },
          .release = [](void* data) { cudaFree(data); },
          .copy = [](void* to, const void* from,
                     size_t bytes) { check_cuda(cudaMemcpy(to, from, bytes, cudaMemcpyDefault), "cudaMemcpy"); },
          .synchronise = [] { check_cuda(cudaDeviceSynchronize(), "cudaDeviceSynchronize"); }};
}

TEST(NcclLibrary, HasEveryFunctionThatWeCall) {
  try {
    int version = 0;
    EXPECT_EQ(NcclLibrary::get().get_version(&version), ncclSuccess);
    EXPECT_GE(version, NCCL_VERSION(2, 18, 0));
  } catch (const EnvironmentError& error) {
    if (std::string(error.what()).find("cannot be loaded") == std::string::npos) throw;
    GTEST_SKIP() << error.what();
  }
}

TEST(NcclCommunicator, ConformsToTheSuite) {
  const int ranks = gpus();
  if (ranks == 0) GTEST_SKIP() << "no GPU here: the conformance suite over NCCL was not run";
  std::atomic<int64_t> compared = 0;
  run_thread_ranks(ranks, [&](Communicator& host) {
    const auto world = nccl_communicator(host, {.device = host.rank(), .timeout = std::chrono::seconds(60)});
    compared += conformance::run(*world, on_gpu());
    world->barrier();
  });
  std::cout << "conformance over NCCL: " << ranks << " GPU(s), " << compared << " results compared\n";
  EXPECT_GT(compared, 1000);
}

TEST(NcclCommunicator, WorksInPlaceOnRegisteredMemory) {
  const int ranks = gpus();
  if (ranks == 0) GTEST_SKIP() << "no GPU here: registered memory was not tested";
  if (NcclLibrary::get().version < NCCL_VERSION(2, 19, 0)) GTEST_SKIP() << "this NCCL registers no memory";
  run_thread_ranks(ranks, [&](Communicator& host) {
    const auto world = nccl_communicator(host, {.device = host.rank(), .timeout = std::chrono::seconds(60)});
    constexpr int64_t kPart = 1 << 18;
    const int64_t count = kPart * ranks;
    auto memory = world->registered_memory(static_cast<size_t>(count) * sizeof(float));
    auto* const data = static_cast<float*>(memory.get());
    std::vector<float> values(count, static_cast<float>(host.rank() + 1));
    const auto copy = [](void* to, const void* from, int64_t elements) {
      check_cuda(cudaMemcpy(to, from, static_cast<size_t>(elements) * sizeof(float), cudaMemcpyDefault), "cudaMemcpy");
    };
    const auto sum = static_cast<float>(ranks * (ranks + 1) / 2);
    copy(data, values.data(), count);
    world->all_reduce({data, count, DataType::f32}).wait();
    check_cuda(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    copy(values.data(), data, count);
    EXPECT_EQ(values, std::vector<float>(count, sum));
    float* const own = data + host.rank() * kPart;
    world->reduce_scatter({data, count, DataType::f32}, {own, kPart, DataType::f32}).wait();
    world->all_gather({own, kPart, DataType::f32}, {data, count, DataType::f32}).wait();
    check_cuda(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
    copy(values.data(), data, count);
    EXPECT_EQ(values, std::vector<float>(count, sum * static_cast<float>(ranks)));
    world->barrier();
  });
}

TEST(NcclCommunicator, ARankThatDoesNotComeEndsTheOthersWaitInTime) {
  if (gpus() < 2) GTEST_SKIP() << "fewer than two GPUs here: time-outs over NCCL were not tested";
  EXPECT_THROW(run_thread_ranks(2,
                                [](Communicator& host) {
                                  const auto world = nccl_communicator(
                                      host, {.device = host.rank(), .timeout = std::chrono::seconds(20)});
                                  world->barrier();
                                  world->set_timeout(std::chrono::seconds(2));
                                  if (host.rank() == 0) world->barrier();
                                  host.barrier();
                                }),
               CommunicationError);
}

}  // namespace
}  // namespace longhaul::comm

#else

TEST(NcclCommunicator, ConformsToTheSuite) {
  GTEST_SKIP() << "a build without CUDA: the conformance suite over NCCL was not run";
}

#endif
