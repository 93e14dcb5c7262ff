// Overrides from the command line: `optimizer.lr=1e-4`, typed by the field table.
#pragma once

#include <string_view>

#include "longhaul/core/config/fields.h"

namespace longhaul {

// Applies one `key=value`. UserError for an unknown key (with the nearest known one), a value of the wrong
// type or out of range.
void apply_override(const FieldTable& table, void* config, std::string_view assignment);

template <typename Config>
void apply_override(Config& config, std::string_view assignment) {
  apply_override(fields<Config>(), &config, assignment);
}

}  // namespace longhaul
