#include "longhaul/data/split.h"

#include "longhaul/core/error.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

void expect_entry(const std::optional<Fractions>& entry, double begin, double end) {
  ASSERT_TRUE(entry.has_value());
  EXPECT_EQ(entry->begin, begin);
  EXPECT_EQ(entry->end, end);
}

TEST(Split, MatricesAndRanges) {
  SplitMatrix matrix = parse_split("969, 30, 1");
  expect_entry(matrix[0], 0, 0.969);
  expect_entry(matrix[1], 0.969, 0.999);
  expect_entry(matrix[2], 0.999, 1.0);
  EXPECT_EQ(split_range(*matrix[0], 12345).end, 11962);
  EXPECT_EQ(split_range(*matrix[1], 12345).begin, 11962);
  EXPECT_EQ(split_range(*matrix[1], 12345).end, 12333);
  EXPECT_EQ(split_range(*matrix[2], 12345).end, 12345);

  matrix = parse_split("98,2,0");
  expect_entry(matrix[1], 0.98, 1.0);
  EXPECT_FALSE(matrix[2].has_value());
  EXPECT_EQ(split_range(*matrix[0], 12345).end, 12098);

  matrix = parse_split("90,5,5");
  expect_entry(matrix[1], 0.9, 0.9500000000000001);
  EXPECT_EQ(split_range(*matrix[1], 12345).begin, 11110);
  EXPECT_EQ(split_range(*matrix[1], 12345).end, 11728);

  matrix = parse_split("1");
  expect_entry(matrix[0], 0, 1.0);
  EXPECT_FALSE(matrix[1].has_value());
  EXPECT_FALSE(matrix[2].has_value());

  matrix = parse_split("0,1,0");
  EXPECT_FALSE(matrix[0].has_value());
  expect_entry(matrix[1], 0, 1.0);
}

TEST(Split, BordersRoundHalfToEven) {
  EXPECT_EQ(split_range({0, 0.5}, 5).end, 2);
  EXPECT_EQ(split_range({0, 0.5}, 7).end, 4);
}

TEST(Split, WhatIsNoSplitIsRefused) {
  for (const char* text :
       {"", "a", "1,,2", "-1,2,3", "0,0,0", "1,2,3,4", "1;2", "nan", "inf", "1,2,3,", "5 5", "1e3"}) {
    const std::string message = message_of<UserError>([&] { parse_split(text); });
    EXPECT_CONTAINS(message, fmt::format("data.split: \"{}\"", text));
  }
}

}  // namespace
}  // namespace longhaul
