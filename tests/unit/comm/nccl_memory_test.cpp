// Memory registered with NCCL, over a library of functions that note what is called.
#include <gtest/gtest.h>

#ifdef LONGHAUL_HAS_CUDA
#include "comm/nccl/nccl_memory.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "longhaul/comm/error.h"
#include "longhaul/core/error.h"

namespace longhaul::comm {
namespace {

std::vector<std::string> calls;
size_t taken = 0;
bool registers_nothing = false, group_fails = false;

ncclResult_t note(const char* call) {
  calls.emplace_back(call);
  return ncclSuccess;
}

NcclLibrary library(bool windows) {
  NcclLibrary nccl{};
  nccl.version = windows ? 22809 : 21903;
  nccl.mem_alloc = [](void** memory, size_t bytes) {
    taken = bytes;
    *memory = std::aligned_alloc(4096, bytes);
    return note("alloc");
  };
  nccl.mem_free = [](void* memory) {
    std::free(memory);
    return note("free");
  };
  nccl.comm_register = [](ncclComm_t, void* memory, size_t, void** handle) {
    *handle = memory;
    return note("register");
  };
  nccl.comm_deregister = [](ncclComm_t, void*) { return note("deregister"); };
  if (!windows) return nccl;
  nccl.window_register = [](ncclComm_t, void* memory, size_t, void** window, int flags) {
    *window = registers_nothing ? nullptr : memory;
    return flags == 1 ? note("symmetric window") : note("window");
  };
  nccl.window_deregister = [](ncclComm_t, void*) { return note("end of window"); };
  return nccl;
}

using Calls = std::vector<std::string>;

class NcclMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    calls.clear();
    registers_nothing = group_fails = false;
  }
  std::unique_ptr<NcclMemory> memory_of(const NcclLibrary& nccl) {
    return std::make_unique<NcclMemory>(nccl, nullptr, [&nccl](const char* what, const NcclMemory::Call& call) {
      if (group_fails) throw CommunicationError("{}: the group is aborted", what);
      if (call(nccl) != ncclSuccess) throw CommunicationError("{}", what);
    });
  }
};

TEST_F(NcclMemoryTest, IsASymmetricWindowWhereTheLibraryHasThem) {
  const NcclLibrary nccl = library(true);
  const auto memory = memory_of(nccl);
  auto part = memory->take(5000);
  EXPECT_EQ(taken, 8192U) << "whole pages";
  EXPECT_EQ(calls, (Calls{"alloc", "symmetric window"}));
  part.reset();
  EXPECT_EQ(calls, (Calls{"alloc", "symmetric window", "end of window", "free"}));
}

TEST_F(NcclMemoryTest, IsAUserBufferElsewhere) {
  const NcclLibrary nccl = library(false);
  const auto memory = memory_of(nccl);
  memory->take(1);
  EXPECT_EQ(calls, (Calls{"alloc", "register", "deregister", "free"}));
}

TEST_F(NcclMemoryTest, IsDeregisteredBeforeTheGroupEndsAndMayOutliveIt) {
  const NcclLibrary nccl = library(true);
  auto memory = memory_of(nccl);
  auto first = memory->take(1), second = memory->take(1);
  first.reset();
  calls.clear();
  memory.reset();
  EXPECT_EQ(calls, Calls{"end of window"}) << "the second's";
  static_cast<char*>(second.get())[0] = 1;
  second.reset();
  EXPECT_EQ(calls, (Calls{"end of window", "free"}));
}

TEST_F(NcclMemoryTest, NcclMayDoWithoutARegistration) {
  const NcclLibrary nccl = library(true);
  const auto memory = memory_of(nccl);
  registers_nothing = true;
  memory->take(1);
  EXPECT_EQ(calls, (Calls{"alloc", "symmetric window", "free"}));
}

TEST_F(NcclMemoryTest, AnAbortedGroupHasNoRegistrations) {
  const NcclLibrary nccl = library(true);
  auto memory = memory_of(nccl);
  auto part = memory->take(1);
  group_fails = true;
  EXPECT_THROW(memory->take(1), CommunicationError);
  calls.clear();
  memory.reset();
  part.reset();
  EXPECT_EQ(calls, Calls{"free"});
}

TEST_F(NcclMemoryTest, WhatCannotBeRegisteredIsGivenBack) {
  NcclLibrary nccl = library(true);
  nccl.window_register = [](ncclComm_t, void*, size_t, void**, int) {
    note("symmetric window");
    return ncclInvalidArgument;
  };
  const auto memory = memory_of(nccl);
  EXPECT_THROW(memory->take(1), CommunicationError);
  EXPECT_EQ(calls, (Calls{"alloc", "symmetric window", "free"}));
}

TEST_F(NcclMemoryTest, AnOldLibraryIsRefused) {
  NcclLibrary nccl = library(false);
  nccl.comm_register = nullptr;
  EXPECT_THROW(memory_of(nccl), EnvironmentError);
}

TEST(NcclMemory, ThisMachinesLibraryHasTheFunctions) {
  try {
    const NcclLibrary& nccl = NcclLibrary::get();
    if (nccl.version < 22700) GTEST_SKIP() << "NCCL " << nccl.version << " has no windows";
    EXPECT_TRUE(nccl.mem_alloc && nccl.mem_free && nccl.comm_register && nccl.comm_deregister && nccl.window_register &&
                nccl.window_deregister);
  } catch (const EnvironmentError& error) {
    GTEST_SKIP() << error.what();
  }
}

}  // namespace
}  // namespace longhaul::comm

#else

TEST(NcclMemory, IsRegistered) {
  GTEST_SKIP() << "a build without CUDA: memory of NCCL was not tested";
}

#endif
