// The two names under which a config struct and an enum publish their tables. Headers of config structs
// include only this; the tables themselves (field_table.h) stay in source files.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace longhaul {

struct FieldTable;

// The table of a config struct. Each struct's header declares its specialisation:
//   template <> const FieldTable& fields<OptimizerConfig>();
template <typename Config>
const FieldTable& fields();

// The names of an enum's values, in order; the values are 0, 1, 2, …
template <typename Enum>
std::span<const std::string_view> enum_names();

template <typename Enum>
std::string_view name_of(Enum value) {
  return enum_names<Enum>()[static_cast<size_t>(value)];
}

}  // namespace longhaul
