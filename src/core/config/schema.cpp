#include <nlohmann/json.hpp>

#include "longhaul/core/config/describe.h"
#include "longhaul/core/config/field_table.h"

namespace longhaul {
namespace {

using nlohmann::ordered_json;

// Whole bounds are written as integers, which is how a person would.
ordered_json bound(double value) {
  const auto whole = static_cast<int64_t>(value);
  return static_cast<double>(whole) == value ? ordered_json(whole) : ordered_json(value);
}

ordered_json field_schema(const Field& field, const void* defaults) {
  if (field.type == FieldType::section) {
    ordered_json schema = json_schema(field.table());
    schema["description"] = field.doc;
    return schema;
  }
  ordered_json schema;
  const FieldValue value = field.get(defaults);
  switch (field.type) {
    case FieldType::boolean:
      schema["type"] = "boolean";
      schema["default"] = std::get<bool>(value);
      break;
    case FieldType::integer:
      schema["type"] = "integer";
      schema["default"] = std::get<int64_t>(value);
      break;
    case FieldType::number:
      schema["type"] = "number";
      schema["default"] = std::get<double>(value);
      break;
    case FieldType::text:
      schema["type"] = "string";
      schema["default"] = std::get<std::string>(value);
      break;
    case FieldType::choice:
      schema["enum"] = std::vector<std::string>(field.choices.begin(), field.choices.end());
      schema["default"] = field.format(value);
      break;
    case FieldType::section:
      break;
  }
  if (field.minimum) schema[field.minimum_excluded ? "exclusiveMinimum" : "minimum"] = bound(*field.minimum);
  if (field.maximum) schema[field.maximum_excluded ? "exclusiveMaximum" : "maximum"] = bound(*field.maximum);
  schema["description"] = field.unit.empty() ? field.doc : field.doc + " (" + field.unit + ")";
  return schema;
}

}  // namespace

ordered_json json_schema(const FieldTable& table) {
  ordered_json properties = ordered_json::object();
  for (const Field& field : table.rows) properties[field.name] = field_schema(field, table.defaults);
  return {{"type", "object"},
          {"description", table.doc},
          {"properties", std::move(properties)},
          {"additionalProperties", false}};
}

}  // namespace longhaul
