// Text tables for a terminal: columns aligned by spaces, nothing but ASCII of our own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace longhaul {

class TextTable {
 public:
  enum class Align { left, right };

  // An empty list of headings gives a table without a heading line.
  explicit TextTable(std::vector<std::string> headings = {});
  // Left unless set.
  TextTable& align(size_t column, Align align);
  // Rows may have different lengths.
  TextTable& add(std::vector<std::string> cells);
  // One line a row, each ended by a newline; no trailing spaces.
  std::string str() const;

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<Align> align_;
  bool has_headings_;
};

// 8,030,261,248
std::string group_digits(int64_t number);

}  // namespace longhaul
