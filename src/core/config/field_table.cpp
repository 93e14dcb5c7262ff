#include "longhaul/core/config/field_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace longhaul {

Field Field::at_least(double bound) const {
  Field f = *this;
  f.minimum = bound;
  return f;
}

Field Field::above(double bound) const {
  Field f = at_least(bound);
  f.minimum_excluded = true;
  return f;
}

Field Field::at_most(double bound) const {
  Field f = *this;
  f.maximum = bound;
  return f;
}

Field Field::below(double bound) const {
  Field f = at_most(bound);
  f.maximum_excluded = true;
  return f;
}

Field Field::in(std::string unit_name) const {
  Field f = *this;
  f.unit = std::move(unit_name);
  return f;
}

Field Field::known_as(std::string megatron_name, std::string hugging_face_name) const {
  Field f = *this;
  f.megatron = std::move(megatron_name);
  f.hugging_face = std::move(hugging_face_name);
  return f;
}

std::string Field::expectation() const {
  std::string text;
  switch (type) {
    case FieldType::boolean:
      text = "true or false";
      break;
    case FieldType::integer:
      text = "an integer";
      break;
    case FieldType::number:
      text = "a number";
      break;
    case FieldType::text:
      text = "a text";
      break;
    case FieldType::choice:
      text = fmt::format("one of {}", fmt::join(choices, ", "));
      break;
    case FieldType::section:
      text = "a group of keys { … }";
      break;
  }
  if (minimum) text += fmt::format(", {} {}", minimum_excluded ? "greater than" : "at least", *minimum);
  if (maximum) text += fmt::format(", {} {}", maximum_excluded ? "less than" : "at most", *maximum);
  return text;
}

bool Field::allows(const FieldValue& value) const {
  double number = 0;
  if (type == FieldType::integer) {
    number = static_cast<double>(std::get<int64_t>(value));
  } else if (type == FieldType::number) {
    number = std::get<double>(value);
  } else {
    return true;
  }
  if (!std::isfinite(number)) return false;
  if (minimum && (minimum_excluded ? number <= *minimum : number < *minimum)) return false;
  if (maximum && (maximum_excluded ? number >= *maximum : number > *maximum)) return false;
  return true;
}

std::string Field::format(const FieldValue& value) const {
  switch (type) {
    case FieldType::boolean:
      return std::get<bool>(value) ? "true" : "false";
    case FieldType::integer:
      return fmt::format("{}", std::get<int64_t>(value));
    case FieldType::number:
      return fmt::format("{}", std::get<double>(value));
    case FieldType::choice:
      return std::string(choices[static_cast<size_t>(std::get<int64_t>(value))]);
    case FieldType::text:
    case FieldType::section:
      break;
  }
  return std::get<std::string>(value);
}

const Field* FieldTable::find(std::string_view name) const {
  const auto row = std::find_if(rows.begin(), rows.end(), [&](const Field& f) { return f.name == name; });
  return row == rows.end() ? nullptr : &*row;
}

std::vector<FieldLeaf> leaves(const FieldTable& table, const std::string& prefix) {
  std::vector<FieldLeaf> all;
  for (const Field& field : table.rows) {
    if (field.type == FieldType::section) {
      const auto inner = leaves(field.table(), prefix + field.name + ".");
      all.insert(all.end(), inner.begin(), inner.end());
    } else {
      all.push_back({prefix + field.name, &field, table.defaults});
    }
  }
  return all;
}

}  // namespace longhaul
