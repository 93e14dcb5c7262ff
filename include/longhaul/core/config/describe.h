// What a field table says to people and to editors.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "longhaul/core/config/fields.h"

namespace longhaul {

// A JSON Schema (draft 7) for objects that the table reads. Every key is optional, unknown keys are refused.
nlohmann::ordered_json json_schema(const FieldTable& table);

// One Markdown section with a table of keys for every section of the table, `##` for the top.
std::string markdown_reference(const FieldTable& table);

// Lines of "key  default  meaning", for a terminal. Only keys that start with `prefix`.
std::string config_help(const FieldTable& table, const std::string& prefix = {});

}  // namespace longhaul
