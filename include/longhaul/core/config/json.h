// Config structs from and to JSON, by their field tables. Reading changes only the keys that are there.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "longhaul/core/config/fields.h"

namespace longhaul {

// JSON with // and /* */ comments. A syntax error or a key given twice is a UserError that names `source` (a
// file's name), for syntax with line and column.
nlohmann::json parse_json(std::string_view text, const std::string& source);

// Sets the members of `config` that `json` names. Unknown keys, wrong types and values out of range are
// UserErrors with `source`, the key's full path, and what would be right.
void read_json(const FieldTable& table, void* config, const nlohmann::json& json, const std::string& source);

// All fields in the table's order.
nlohmann::ordered_json write_json(const FieldTable& table, const void* config);
// The fields in which `config` differs from `reference`.
nlohmann::ordered_json write_changes(const FieldTable& table, const void* config, const void* reference);

template <typename Config>
void read_config(Config& config, const nlohmann::json& json, const std::string& source) {
  read_json(fields<Config>(), &config, json, source);
}

}  // namespace longhaul
