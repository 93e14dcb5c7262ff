#include "longhaul/core/table.h"

#include <algorithm>

namespace longhaul {
namespace {

// Columns on the screen: code points, which is near enough for our texts.
size_t width(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

}  // namespace

TextTable::TextTable(std::vector<std::string> headings) : has_headings_(!headings.empty()) {
  if (has_headings_) rows_.push_back(std::move(headings));
}

TextTable& TextTable::align(size_t column, Align align) {
  if (align_.size() <= column) align_.resize(column + 1, Align::left);
  align_[column] = align;
  return *this;
}

TextTable& TextTable::add(std::vector<std::string> cells) {
  rows_.push_back(std::move(cells));
  return *this;
}

std::string TextTable::str() const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()), 0);
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  for (size_t r = 0; r < rows_.size(); ++r) {
    std::string line;
    for (size_t i = 0; i < rows_[r].size(); ++i) {
      const std::string& cell = rows_[r][i];
      const std::string padding(widths[i] - width(cell), ' ');
      const bool right = i < align_.size() && align_[i] == Align::right;
      line += (i > 0 ? "  " : "") + (right ? padding + cell : cell + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
    if (r == 0 && has_headings_) {
      std::string rule;
      for (size_t i = 0; i < widths.size(); ++i) rule += (i > 0 ? "  " : "") + std::string(widths[i], '-');
      out += rule + '\n';
    }
  }
  return out;
}

std::string group_digits(int64_t number) {
  std::string digits = std::to_string(number);
  const ptrdiff_t sign = number < 0 ? 1 : 0;
  for (ptrdiff_t i = static_cast<ptrdiff_t>(digits.size()) - 3; i > sign; i -= 3)
    digits.insert(static_cast<size_t>(i), ",");
  return digits;
}

}  // namespace longhaul
