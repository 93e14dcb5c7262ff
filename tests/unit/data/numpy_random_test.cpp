#include "longhaul/data/numpy_random.h"

#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <vector>

#include "data/md5.h"

namespace longhaul {
namespace {

// The expected numbers are NumPy's own.
TEST(NumpyRandom, FirstWords) {
  RandomState zero(0);
  for (const uint32_t word : {0x8c7f0aacU, 0x97c4aa2fU, 0xb716a675U, 0xd821ccc0U}) EXPECT_EQ(zero.next_u32(), word);
  RandomState one(1);
  for (const uint32_t word : {0x6ac1f425U, 0xff4780ebU, 0xb8672f8cU, 0xeebc1448U}) EXPECT_EQ(one.next_u32(), word);
  RandomState usual(1234);
  for (const uint32_t word : {0x31076b2fU, 0x7f66e2d3U, 0x9f428526U, 0xd15ddc35U}) EXPECT_EQ(usual.next_u32(), word);
}

TEST(NumpyRandom, TheFirstOfTwoWordsIsTheHighHalf) {
  EXPECT_EQ(RandomState(0).next_u64(), 0x8c7f0aac97c4aa2fULL);
}

TEST(NumpyRandom, Doubles) {
  RandomState zero(0);
  for (const double value : {0.5488135039273248, 0.7151893663724195, 0.6027633760716439}) {
    EXPECT_EQ(zero.next_double(), value);
  }
  RandomState usual(1234);
  for (const double value : {0.1915194503788923, 0.6221087710398319, 0.4377277390071145}) {
    EXPECT_EQ(usual.next_double(), value);
  }
}

TEST(NumpyRandom, BoundedIntegers) {
  RandomState random(5);
  for (const int64_t value : {4, 3, 4, 2, 3, 3, 1, 2, 1, 1}) EXPECT_EQ(random.randint(1, 5), value);
  for (const int64_t value : {62, 27, 30, 80, 7}) EXPECT_EQ(random.randint(0, 100), value);
}

TEST(NumpyRandom, AnIntervalOfOneValueDrawsNothing) {
  RandomState random(0);
  EXPECT_EQ(random.interval(0), 0U);
  EXPECT_EQ(random.next_u32(), 0x8c7f0aacU);
}

struct ShuffleCase {
  uint32_t seed;
  size_t size;
  std::vector<int32_t> first;
  uint64_t weighted_sum;
  std::string md5;
  uint32_t next;
};

TEST(NumpyRandom, Shuffles) {
  const std::vector<ShuffleCase> cases = {
      {0, 2, {1, 0}, 1, "33cdeccccebe80329f1fdbee7f5874cb", 2546248239U},
      {1, 2, {0, 1}, 2, "da35686b165e3223d5d49c046644e68e", 4282876139U},
      {0, 10, {2, 8, 4, 9, 1, 6, 7, 3, 0, 5}, 230, "1e5ed2146746d9b54a1917072a3bab1f", 1879422756U},
      {1, 10, {2, 9, 6, 4, 0, 3, 1, 7, 8, 5}, 257, "98a30c2e5338ad1320a80d8a5b31667f", 1666063943U},
      {42, 10, {8, 1, 5, 0, 7, 2, 9, 4, 3, 6}, 254, "4eb12130700c7f623216de5046b00db1", 669991378U},
      {1234, 10, {7, 2, 9, 1, 0, 8, 4, 5, 6, 3}, 242, "cddc6dc09ae8b283a7d29068d1bf5156", 646980841U},
      {4294967295U, 10, {6, 9, 5, 1, 8, 0, 7, 4, 2, 3}, 212, "9542b63e7ad5c7acd7a264278fec18e1", 2166321787U},
      {1234, 1000, {681, 990, 155, 768, 438, 363}, 251897522, "3f4f15eb6f685b404530b9069180aa76", 2583836194U},
      {0, 100000, {3582, 60498, 53227}, 249942372879313, "cbec721a33eb5cb0eea03a6968806a76", 2405041426U},
      {1, 100000, {43660, 87278, 14317}, 250176541965738, "e0ceb9b856ea17ae897505115cdf4ece", 1499132805U},
      {42, 100000, {75721, 80184, 19864}, 249856129277323, "1f39952126e79fe87e6f07cc22e62916", 2469033415U},
      {1234, 100000, {13504, 72599, 42217}, 249814377431287, "2ad4779164df2ff9a3d5a8f018cd1b3c", 1376071051U},
  };
  for (const ShuffleCase& expected : cases) {
    SCOPED_TRACE(testing::Message() << "seed " << expected.seed << ", size " << expected.size);
    std::vector<int32_t> values(expected.size);
    std::iota(values.begin(), values.end(), 0);
    RandomState random(expected.seed);
    random.shuffle(std::span(values));
    uint64_t sum = 0;
    for (size_t i = 0; i < values.size(); ++i) sum += (i + 1) * static_cast<uint64_t>(values[i]);
    EXPECT_TRUE(std::equal(expected.first.begin(), expected.first.end(), values.begin()));
    EXPECT_EQ(sum, expected.weighted_sum);
    EXPECT_EQ(md5_hex({reinterpret_cast<const char*>(values.data()), values.size() * 4}), expected.md5);
    EXPECT_EQ(random.next_u32(), expected.next);

    std::vector<int64_t> wide(expected.size);
    std::iota(wide.begin(), wide.end(), 0);
    RandomState(expected.seed).shuffle(std::span(wide));
    EXPECT_TRUE(std::equal(wide.begin(), wide.end(), values.begin())) << "the draws depend on the type";
  }
}

// RFC 1321, appendix A.5.
TEST(Md5, Vectors) {
  EXPECT_EQ(md5_hex(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(md5_hex("abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(md5_hex("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
            "57edf4a22be3c955ac49da2e2107b67a");
}

}  // namespace
}  // namespace longhaul
