// A config struct described as data: one row a field, with its name, type, unit, range and a line of
// explanation. One table drives reading JSON, overrides, writing, the JSON Schema, the reference page and the
// help text, so that none of them can know a key that another does not. The default is whatever the struct's
// own initialiser says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "longhaul/core/config/fields.h"

namespace longhaul {

enum class FieldType { boolean, integer, number, text, choice, section };

// A choice is held as the index of its name.
using FieldValue = std::variant<bool, int64_t, double, std::string>;

struct Field {
  std::string name;
  std::string doc;  // one line; no full stop
  FieldType type = FieldType::text;
  std::string unit;
  std::optional<double> minimum, maximum;
  bool minimum_excluded = false, maximum_excluded = false;
  std::span<const std::string_view> choices;
  std::string megatron,
      hugging_face;  // what the same thing is called there, ", " between names; also hints for a mistyped key

  // Access to the member of a config object. Sections have `member` and `table`, all others `get` and `set`.
  FieldValue (*get)(const void* config) = nullptr;
  void (*set)(void* config, const FieldValue& value) = nullptr;
  const void* (*member)(const void* config) = nullptr;
  const FieldTable& (*table)() = nullptr;

  Field at_least(double bound) const;
  Field above(double bound) const;
  Field at_most(double bound) const;
  Field below(double bound) const;
  Field in(std::string unit_name) const;
  Field known_as(std::string megatron_name, std::string hugging_face_name = {}) const;

  // "an integer, at least 1": what a user may write.
  std::string expectation() const;
  // Whether a number lies in the range; true for other types.
  bool allows(const FieldValue& value) const;
  // As a user would write it: true, 0.1, cosine, some text.
  std::string format(const FieldValue& value) const;
};

struct FieldTable {
  std::string doc;
  std::vector<Field> rows;
  const void* defaults = nullptr;  // a default-constructed config object

  const Field* find(std::string_view name) const;
};

// One leaf of a tree of tables, with its full path ("model.rope_scaling.factor").
struct FieldLeaf {
  std::string path;
  const Field* field;
  const void* defaults;  // of the struct that holds the field
};
std::vector<FieldLeaf> leaves(const FieldTable& table, const std::string& prefix = {});

namespace detail {
template <typename T>
struct MemberOf;
template <typename C, typename T>
struct MemberOf<T C::*> {
  using Config = C;
  using Type = T;
};
}  // namespace detail

// field<&OptimizerConfig::lr>("lr", "peak learning rate").above(0)
template <auto Member>
Field field(std::string name, std::string doc) {
  using Config = typename detail::MemberOf<decltype(Member)>::Config;
  using Type = typename detail::MemberOf<decltype(Member)>::Type;
  Field f;
  f.name = std::move(name);
  f.doc = std::move(doc);
  if constexpr (std::is_class_v<Type> && !std::is_same_v<Type, std::string>) {
    f.type = FieldType::section;
    f.member = [](const void* config) -> const void* { return &(static_cast<const Config*>(config)->*Member); };
    f.table = &fields<Type>;
  } else if constexpr (std::is_enum_v<Type>) {
    f.type = FieldType::choice;
    f.choices = enum_names<Type>();
    f.get = [](const void* config) {
      return FieldValue(static_cast<int64_t>(static_cast<const Config*>(config)->*Member));
    };
    f.set = [](void* config, const FieldValue& value) {
      static_cast<Config*>(config)->*Member = static_cast<Type>(std::get<int64_t>(value));
    };
  } else {
    static_assert(std::is_same_v<Type, bool> || std::is_same_v<Type, int64_t> || std::is_same_v<Type, double> ||
                  std::is_same_v<Type, std::string>);
    f.type = std::is_same_v<Type, bool>      ? FieldType::boolean
             : std::is_same_v<Type, int64_t> ? FieldType::integer
             : std::is_same_v<Type, double>  ? FieldType::number
                                             : FieldType::text;
    f.get = [](const void* config) { return FieldValue(static_cast<const Config*>(config)->*Member); };
    f.set = [](void* config, const FieldValue& value) {
      static_cast<Config*>(config)->*Member = std::get<Type>(value);
    };
  }
  return f;
}

template <typename Config>
FieldTable make_table(std::string doc, std::vector<Field> rows) {
  static const Config defaults{};
  return {std::move(doc), std::move(rows), &defaults};
}

}  // namespace longhaul
