#include <nlohmann/json.hpp>

#include "longhaul/core/config/field_table.h"
#include "longhaul/core/config/json.h"

namespace longhaul {
namespace {

using nlohmann::ordered_json;

ordered_json value_json(const Field& field, const FieldValue& value) {
  if (field.type == FieldType::choice) return field.format(value);
  return std::visit([](const auto& plain) { return ordered_json(plain); }, value);
}

}  // namespace

ordered_json write_json(const FieldTable& table, const void* config) {
  ordered_json object = ordered_json::object();
  for (const Field& field : table.rows) {
    object[field.name] = field.type == FieldType::section ? write_json(field.table(), field.member(config))
                                                          : value_json(field, field.get(config));
  }
  return object;
}

ordered_json write_changes(const FieldTable& table, const void* config, const void* reference) {
  ordered_json object = ordered_json::object();
  for (const Field& field : table.rows) {
    if (field.type == FieldType::section) {
      auto inner = write_changes(field.table(), field.member(config), field.member(reference));
      if (!inner.empty()) object[field.name] = std::move(inner);
    } else if (const FieldValue value = field.get(config); value != field.get(reference)) {
      object[field.name] = value_json(field, value);
    }
  }
  return object;
}

}  // namespace longhaul
