#include "longhaul/ops/embedding.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <string>

#include "longhaul/core/error.h"
#include "longhaul/core/random.h"
#include "unit/ops/gradcheck.h"

namespace longhaul::ops {
namespace {

// Ids in [0, rows), few of them often, as words are.
at::Tensor some_ids(int64_t tokens, int64_t rows) {
  const at::Tensor ids = at::empty({tokens}, at::kLong);
  const RandomStream stream(3, "ids");
  for (int64_t t = 0; t < tokens; ++t) {
    const double u = stream.uniform(t);
    ids.mutable_data_ptr<int64_t>()[t] = static_cast<int64_t>(u * u * u * static_cast<double>(rows));
  }
  return ids;
}

TEST(Embedding, PicksRowsAndSumsTheirGradients) {
  const ThreadCount one(1);
  for (at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble}) {
    for (int64_t hidden : {1, 3, 17, 512}) {
      for (int64_t tokens : {0, 1, 5, 1000}) {
        SCOPED_TRACE(testing::Message() << tokens << "x" << hidden);
        const at::Tensor ids = some_ids(tokens, 50), table = leaf(random_tensor({50, hidden}, 1, type));
        const at::Tensor dy = random_tensor({tokens, hidden}, 2, type), y = ops::embedding(ids, {table});
        EXPECT_TRUE(bit_equal(y, table.index_select(0, ids)));
        const Tensors got = gradients_of({y}, {dy}, {table});
        const at::Tensor truth = at::zeros({50, hidden}, at::kDouble).index_add(0, ids, dy.to(at::kDouble));
        EXPECT_LT(max_error(got[0], truth), type == at::kBFloat16 ? 0x1p-8 : 1e-5);
      }
    }
  }
}

TEST(Embedding, AddsToMainGradInTheOrderOfTheTokens) {
  for (at::ScalarType type : {at::kFloat, at::kBFloat16}) {
    const at::Tensor ids = some_ids(1000, 20), table = leaf(random_tensor({20, 33}, 1, type));
    const at::Tensor dy = random_tensor({1000, 33}, 2, type);
    const at::Tensor main_grad = at::ones({20, 33}, at::kFloat), truth = at::ones({20, 33}, at::kFloat);
    const Tensors none = gradients_of({ops::embedding(ids, {table, main_grad})}, {dy}, {table});
    EXPECT_FALSE(none[0].defined());
    for (int64_t t = 0; t < 1000; ++t) truth[ids[t].item().toLong()].add_(dy[t].to(at::kFloat));
    EXPECT_TRUE(bit_equal(main_grad, truth));
  }
}

TEST(Embedding, NamesAnIdOutsideTheTable) {
  const Weight table{random_tensor({5, 3}, 1, at::kFloat)};
  for (int64_t wrong : {int64_t{5}, int64_t{-1}, int64_t{1} << 40}) {
    try {
      ops::embedding(at::tensor({int64_t{0}, int64_t{4}, wrong}), table);
      FAIL() << "no error for " << wrong;
    } catch (const UserError& error) {
      const std::string message = error.what();
      EXPECT_NE(message.find("token id " + std::to_string(wrong)), std::string::npos) << message;
      EXPECT_NE(message.find("5 rows"), std::string::npos) << message;
    }
  }
}

TEST(Embedding, BitEqualForAnyNumberOfThreads) {
  const at::Tensor ids = some_ids(3000, 40), table = leaf(random_tensor({40, 65}, 1, at::kFloat));
  const at::Tensor dy = random_tensor({3000, 65}, 2, at::kFloat);
  Tensors results;
  for (int threads : {1, 2, 3}) {
    with_threads(threads, [&] { results.push_back(gradients_of({ops::embedding(ids, {table})}, {dy}, {table})[0]); });
  }
  EXPECT_TRUE(bit_equal(results[0], results[1]));
  EXPECT_TRUE(bit_equal(results[0], results[2]));
}

}  // namespace
}  // namespace longhaul::ops
