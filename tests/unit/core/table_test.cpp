#include "longhaul/core/table.h"

#include <gtest/gtest.h>

namespace longhaul {
namespace {

TEST(TextTable, AlignsColumns) {
  TextTable table({"name", "count"});
  table.align(1, TextTable::Align::right);
  table.add({"a", "1"}).add({"é×", "12345678"}).add({"only"});
  EXPECT_EQ(table.str(),
            "name     count\n"
            "----  --------\n"
            "a            1\n"
            "é×    12345678\n"
            "only\n");
}

TEST(TextTable, WithoutHeadings) {
  TextTable table;
  table.add({"a", "b"}).add({"cc", ""});
  EXPECT_EQ(table.str(), "a   b\ncc\n");
}

TEST(GroupDigits, ThousandsAndSigns) {
  EXPECT_EQ(group_digits(0), "0");
  EXPECT_EQ(group_digits(999), "999");
  EXPECT_EQ(group_digits(8030261248), "8,030,261,248");
  EXPECT_EQ(group_digits(-123), "-123");
  EXPECT_EQ(group_digits(-1234), "-1,234");
}

}  // namespace
}  // namespace longhaul
