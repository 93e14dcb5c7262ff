#include "longhaul/core/config/override.h"

#include <charconv>
#include <cmath>
#include <optional>
#include <vector>

#include "longhaul/core/config/field_table.h"
#include "longhaul/core/config/suggest.h"
#include "longhaul/core/error.h"

namespace longhaul {
namespace {

template <typename T>
std::optional<T> parse_number(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<FieldValue> parse_value(const Field& field, std::string_view text) {
  switch (field.type) {
    case FieldType::boolean:
      if (text == "true") return true;
      if (text == "false") return false;
      return std::nullopt;
    case FieldType::integer:
      if (const auto whole = parse_number<int64_t>(text)) return *whole;
      if (const auto number = parse_number<double>(text);  // 1e6
          number && *number == std::floor(*number) && std::abs(*number) <= 0x1p53)
        return static_cast<int64_t>(*number);
      return std::nullopt;
    case FieldType::number:
      if (const auto number = parse_number<double>(text)) return *number;
      return std::nullopt;
    case FieldType::choice:
      for (size_t i = 0; i < field.choices.size(); ++i) {
        if (field.choices[i] == text) return static_cast<int64_t>(i);
      }
      return std::nullopt;
    case FieldType::text:
      return std::string(text);
    case FieldType::section:
      break;
  }
  return std::nullopt;
}

}  // namespace

void apply_override(const FieldTable& root, void* config, std::string_view assignment) {
  const auto equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0)
    throw UserError("\"{}\" is not an override; write key=value, such as optimizer.lr=1e-4", assignment);
  const std::string_view path = assignment.substr(0, equals), text = assignment.substr(equals + 1);

  const FieldTable* table = &root;
  for (std::string_view rest = path;;) {
    const auto dot = rest.find('.');
    const Field* field = table->find(rest.substr(0, dot));
    const bool is_section = field != nullptr && field->type == FieldType::section;
    if (field == nullptr) {
      throw UserError("unknown key {} in the override {}. {}", path, assignment, key_hint(root, path));
    }
    if (dot != std::string_view::npos && !is_section) {
      const std::string_view leaf = path.substr(0, path.size() - rest.size() + dot);
      throw UserError("override {}: {} holds one value, not a group of keys; write {}=…", assignment, leaf, leaf);
    }
    if (dot == std::string_view::npos) {
      if (is_section)
        throw UserError("{} is a group of keys; set one of them, such as {}.{}=…", path, path,
                        field->table().rows[0].name);
      const auto value = parse_value(*field, text);
      if (!value || !field->allows(*value)) {
        const std::string close = nearest(text, std::vector<std::string>(field->choices.begin(), field->choices.end()));
        throw UserError("override {}: {} must be {}.{}", assignment, path, field->expectation(),
                        close.empty() ? "" : fmt::format(" Did you mean {}?", close));
      }
      field->set(config, *value);
      return;
    }
    config = const_cast<void*>(field->member(config));
    table = &field->table();
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace longhaul
