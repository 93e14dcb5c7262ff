// Products in chunks beside their communication, against the whole product: small whole numbers, whose sums are exact
// in any order.
#include "parallel/token_chunks.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/mm.h>
#include <gtest/gtest.h>

#include "longhaul/comm/thread_communicator.h"

namespace longhaul::parallel {
namespace {

// [rows, columns] of numbers between -6 and 6.
at::Tensor numbers(int64_t rows, int64_t columns, int64_t seed) {
  return ((at::arange(rows * columns) * (seed + 5) + seed).remainder(13) - 6).to(at::kFloat).view({rows, columns});
}

struct Case {
  int64_t ranks, held, chunks;
  bool sequence;
};

const Case kCases[] = {{2, 8, 2, true}, {2, 8, 3, true}, {4, 5, 2, true},  {3, 7, 7, true},  {2, 3, 9, true},
                       {2, 1, 4, true}, {4, 6, 1, true}, {2, 8, 2, false}, {3, 7, 4, false}, {2, 1, 4, false}};

TEST(TokenChunks, CoverTheTokensInOrder) {
  for (const Case& c : kCases) {
    const TokenChunks chunks(c.held, {.ranks = nullptr, .sequence = false, .chunks = c.chunks});
    EXPECT_EQ(chunks.count(), std::min(c.chunks, c.held));
    int64_t next = 0;
    for (int64_t i = 0; i < chunks.count(); ++i) {
      EXPECT_EQ(chunks.begin(i), next);
      EXPECT_GT(chunks.length(i), 0);
      next += chunks.length(i);
    }
    EXPECT_EQ(next, c.held);
  }
}

TEST(TokenChunks, ProductsOfGatheredTokens) {
  for (const Case& c : kCases) {
    std::vector<at::Tensor> slices;
    for (int64_t r = 0; r < c.ranks; ++r) slices.push_back(numbers(c.held, 6, c.sequence ? r : 0));
    const at::Tensor all = c.sequence ? at::cat(slices) : slices[0], b = numbers(6, 10, 40),
                     bias = numbers(1, 10, 41).view({10});
    comm::run_thread_ranks(static_cast<int>(c.ranks), [&](comm::Communicator& world) {
      at::set_num_threads(1);
      GatheredTokens gathered(slices[static_cast<size_t>(world.rank())], {&world, c.sequence, c.chunks});
      EXPECT_TRUE(gathered.times(b, bias).equal(at::mm(all, b) + bias));
      EXPECT_TRUE(gathered.times(numbers(9, 6, 42).t()).equal(at::mm(all, numbers(9, 6, 42).t())));
      EXPECT_TRUE(gathered.take().equal(all));
      EXPECT_EQ(world.traffic().all_gather.calls, c.sequence ? std::min(c.chunks, c.held) : 0);
    });
  }
}

TEST(TokenChunks, SumsOfProducts) {
  for (const Case& c : kCases) {
    const int64_t tokens = c.sequence ? c.held * c.ranks : c.held;
    at::Tensor sum = at::mm(numbers(tokens, 6, 0), numbers(6, 10, 20));
    for (int64_t r = 1; r < c.ranks; ++r) sum = sum + at::mm(numbers(tokens, 6, r), numbers(6, 10, 20 + r));
    comm::run_thread_ranks(static_cast<int>(c.ranks), [&](comm::Communicator& world) {
      at::set_num_threads(1);
      const TensorGroup group{&world, c.sequence, c.chunks};
      const at::Tensor got =
          sum_of_products(numbers(tokens, 6, world.rank()), numbers(6, 10, 20 + world.rank()), group).wait();
      EXPECT_TRUE(got.equal(c.sequence ? sum.narrow(0, world.rank() * c.held, c.held) : sum));
      const comm::Traffic& sent = world.traffic();
      EXPECT_EQ((c.sequence ? sent.reduce_scatter : sent.all_reduce).calls, std::min(c.chunks, c.held));
    });
  }
}

}  // namespace
}  // namespace longhaul::parallel
