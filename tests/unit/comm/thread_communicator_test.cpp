// Ranks as threads, and the single rank.
#include "longhaul/comm/thread_communicator.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <thread>

#include "longhaul/comm/error.h"
#include "unit/comm/conformance.h"

namespace longhaul::comm {
namespace {

class ThreadRanks : public testing::TestWithParam<int> {};

TEST_P(ThreadRanks, ConformToTheSuite) {
  std::atomic<int64_t> compared = 0;
  run_thread_ranks(GetParam(), [&](Communicator& world) { compared += conformance::run(world); });
  EXPECT_GT(compared, 1000);
}

INSTANTIATE_TEST_SUITE_P(Sizes, ThreadRanks, testing::Values(1, 2, 3, 4, 8));

TEST(SingleCommunicator, ConformsToTheSuite) {
  EXPECT_GT(conformance::run(*single_communicator()), 1000);
}

// 256 + 4 × 1/2. At 256 BF16 holds even numbers only: rounded after every addition, the sum would stay 256.
TEST(ThreadCommunicator, SumsBf16InFp32AndRoundsOnce) {
  run_thread_ranks(5, [](Communicator& world) {
    uint16_t x;
    conformance::encode(DataType::bf16, &x, world.rank() == 0 ? 256 : 0.5);
    world.all_reduce({&x, 1, DataType::bf16}).wait();
    uint16_t expected;
    conformance::encode(DataType::bf16, &expected, 258);
    EXPECT_EQ(x, expected);
  });
}

TEST(ThreadCommunicator, MessagesBetweenTwoRanksKeepTheirOrder) {
  run_thread_ranks(2, [](Communicator& world) {
    for (int32_t i = 0; i < 100; ++i) {
      if (world.rank() == 0) {
        world.send({&i, 1, DataType::i32}, 1).wait();
      } else {
        int32_t got = -1;
        world.receive({&got, 1, DataType::i32}, 0).wait();
        ASSERT_EQ(got, i);
      }
    }
  });
}

TEST(ThreadCommunicator, CountsTheTextbooksBytes) {
  run_thread_ranks(4, [](Communicator& world) {
    std::vector<float> whole(400), part(100);
    const Buffer all{whole.data(), 400, DataType::f32}, mine{part.data(), 100, DataType::f32};
    world.all_reduce(all).wait();
    world.reduce_scatter(all, mine).wait();
    world.all_gather(mine, all).wait();
    const std::vector<int64_t> counts{100, 100, 100, 100};
    std::vector<float> other(400);
    world.all_to_all(all, counts, {other.data(), 400, DataType::f32}, counts).wait();
    EXPECT_EQ(world.traffic().all_reduce.bytes, 2400);
    EXPECT_EQ(world.traffic().reduce_scatter.bytes, 1200);
    EXPECT_EQ(world.traffic().all_gather.bytes, 1200);
    EXPECT_EQ(world.traffic().all_to_all.bytes, 1200);
    EXPECT_EQ(world.traffic().all_reduce.calls, 1);
    EXPECT_EQ(world.traffic().bytes(), 6000);
    world.reset_traffic();
    EXPECT_EQ(world.traffic().bytes(), 0);
  });
}

// Runs the ranks, which must fail with `part` in the message.
template <typename ErrorType>
void expect_failure(int ranks, const std::string& part, const std::function<void(Communicator&)>& body) {
  try {
    run_thread_ranks(ranks, body);
    FAIL() << "no rank failed";
  } catch (const ErrorType& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

TEST(ThreadCommunicator, ARankThatThrowsIsNamedToTheOthersByItsRankInTheJob) {
  std::atomic<int> told = 0;
  expect_failure<std::runtime_error>(4, "out of coffee", [&](Communicator& world) {
    const auto half = world.split(world.rank() / 2, "half");
    if (world.rank() == 3) throw std::runtime_error("out of coffee");
    float x = 1;
    try {
      world.all_reduce({&x, 1, DataType::f32}).wait();
    } catch (const CommunicationError& error) {
      EXPECT_STREQ(error.what(), "rank 3 failed: out of coffee");
      ++told;
      throw;
    }
  });
  EXPECT_EQ(told, 3);
}

TEST(ThreadCommunicator, NobodyTouchesTheBuffersOfARankThatFailed) {
  expect_failure<std::runtime_error>(2, "after posting", [](Communicator& world) {
    auto data = std::make_unique<std::vector<float>>(1 << 16, 1.0F);
    Work work = world.all_reduce({data->data(), 1 << 16, DataType::f32});
    if (world.rank() == 0) throw std::runtime_error("after posting");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_THROW(work.wait(), CommunicationError);
    throw std::runtime_error("after posting");
  });
}

TEST(ThreadCommunicator, ATimeOutNamesThoseWhoAreMissing) {
  expect_failure<CommunicationError>(3, "rank 0's all-reduce waited 0.2 s in vain for rank 2", [](Communicator& world) {
    world.set_timeout(std::chrono::milliseconds(200));
    float x = 1;
    if (world.rank() == 2) {
      std::this_thread::sleep_for(std::chrono::milliseconds(600));
      return;
    }
    if (world.rank() == 1) world.set_timeout(std::chrono::seconds(20));
    world.all_reduce({&x, 1, DataType::f32}).wait();
  });
}

TEST(ThreadCommunicator, DifferentOperationsOrCountsAreRefused) {
  float x[2] = {};
  expect_failure<InternalError>(2, "different operations", [&](Communicator& world) {
    if (world.rank() == 0) return world.barrier();
    world.all_reduce({x, 1, DataType::f32}).wait();
  });
  expect_failure<InternalError>(2, "brings", [&](Communicator& world) {
    world.all_reduce({x, world.rank() + 1, DataType::f32}).wait();
  });
}

}  // namespace
}  // namespace longhaul::comm
