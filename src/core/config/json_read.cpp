#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "longhaul/core/config/field_table.h"
#include "longhaul/core/config/json.h"
#include "longhaul/core/config/suggest.h"
#include "longhaul/core/error.h"
#include "longhaul/core/json_text.h"

namespace longhaul {
namespace {

using nlohmann::json;

struct Reader {
  const FieldTable& root;
  const std::string& source;

  [[noreturn]] void wrong(const std::string& path, const Field& field, const json& value) const {
    std::string shown = lenient_json_text(value);
    if (shown.size() > 60) shown = shown.substr(0, 57) + "…";
    throw UserError("{}: {}: expected {}, got {} ({})", source, path, field.expectation(), shown, value.type_name());
  }

  FieldValue value_of(const std::string& path, const Field& field, const json& value) const {
    switch (field.type) {
      case FieldType::boolean:
        if (value.is_boolean()) return value.get<bool>();
        break;
      case FieldType::integer:
        if (value.is_number_unsigned() && value.get<uint64_t>() > INT64_MAX) break;
        if (value.is_number_integer()) return value.get<int64_t>();
        if (value.is_number_float()) {  // 1e6 is an integer to a person
          const double number = value.get<double>();
          if (number == std::floor(number) && std::abs(number) <= 0x1p53) return static_cast<int64_t>(number);
        }
        break;
      case FieldType::number:
        if (value.is_number()) return value.get<double>();
        break;
      case FieldType::text:
        if (value.is_string()) return value.get<std::string>();
        break;
      case FieldType::choice: {
        if (!value.is_string()) break;
        const auto& name = value.get_ref<const std::string&>();
        std::vector<std::string> names(field.choices.begin(), field.choices.end());
        for (size_t i = 0; i < names.size(); ++i) {
          if (names[i] == name) return static_cast<int64_t>(i);
        }
        const std::string close = nearest(name, names);
        throw UserError("{}: {}: \"{}\" is not {}.{}", source, path, name, field.expectation(),
                        close.empty() ? "" : fmt::format(" Did you mean \"{}\"?", close));
      }
      case FieldType::section:
        break;
    }
    wrong(path, field, value);
  }

  void read(const FieldTable& table, void* config, const json& object, const std::string& prefix) const {
    for (const auto& [key, value] : object.items()) {
      const std::string path = prefix + key;
      const Field* field = table.find(key);
      if (field == nullptr) {
        if (const size_t dot = key.find('.'); dot != std::string::npos && table.find(key.substr(0, dot)) != nullptr) {
          throw UserError(
              "{}: the key \"{}\" is written as on the command line; in a file groups are nested: {{\"{}\": {{\"{}\": …}}}}",
              source, path, key.substr(0, dot), key.substr(dot + 1));
        }
        throw UserError("{}: unknown key {}. {}", source, path, key_hint(root, path));
      }
      if (field->type == FieldType::section) {
        if (!value.is_object()) wrong(path, *field, value);
        read(field->table(), const_cast<void*>(field->member(config)), value, path + ".");
        continue;
      }
      const FieldValue parsed = value_of(path, *field, value);
      if (!field->allows(parsed)) wrong(path, *field, value);
      field->set(config, parsed);
    }
  }
};

// What people write who are used to Python or YAML; `at` is where the reader stopped.
std::string syntax_remedy(std::string_view text, size_t at) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return ". The file is empty";
  if (text[first] != '{' && text[first] != '/')
    return ". This has to be JSON, { \"key\": value, \"group\": { \"key\": value } }";
  const std::string_view before = text.substr(0, at), rest = text.substr(std::min(at, text.size()));
  const size_t last = before.find_last_not_of(kBlank);
  if (last != std::string_view::npos && before[last] == ',' && (rest.starts_with('}') || rest.starts_with(']')))
    return ". Remove the comma before it";
  if (rest.starts_with('\'')) return ". JSON writes texts in double quotes";
  // The reader stops inside a word that it doesn't know.
  const size_t begin = before.find_last_of(" \t\r\n:,[{") + 1;  // npos + 1 is 0
  const std::string_view word = text.substr(begin, text.find_first_of(" \t\r\n:,]}", begin) - begin);
  for (const std::string_view python : {"True", "False", "None"}) {
    if (word == python) return ". JSON writes true, false and null";
  }
  return "";
}

}  // namespace

json parse_json(std::string_view text, const std::string& source) {
  // The library keeps the last of two equal keys; a person who wrote both must hear of it.
  std::vector<std::set<std::string>> keys;
  std::string twice;
  const json::parser_callback_t watch = [&](int, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(value.get<std::string>()).second && twice.empty())
      twice = value.get<std::string>();
    return true;
  };
  refuse_deep_json(text, source);
  json result;
  try {
    result = json::parse(text, watch, true, true);
  } catch (const json::parse_error& error) {
    const std::string_view before = text.substr(0, error.byte == 0 ? 0 : error.byte - 1);
    size_t line = 1, column = 1;
    for (const char c : before) {
      column = c == '\n' ? 1 : column + 1;
      line += c == '\n';
    }
    std::string what = error.what();  // "[json.exception…] parse error at line 3, column 5: syntax error while …"
    if (const auto at = what.find(": "); at != std::string::npos) what = what.substr(at + 2);
    throw UserError("{}:{}:{}: {}{}", source, line, column, what, syntax_remedy(text, before.size()));
  } catch (const json::out_of_range& error) {
    // "[json.exception…] number overflow parsing '1e999'"
    const std::string_view what = error.what();
    throw UserError("{}: {}: no number is so large", source, what.substr(std::min(what.find("] ") + 2, what.size())));
  }
  if (!twice.empty())
    throw UserError("{}: the key \"{}\" is given twice in one group; remove one of them", source, twice);
  return result;
}

void read_json(const FieldTable& table, void* config, const json& object, const std::string& source) {
  if (!object.is_object()) throw UserError("{}: expected a JSON object {{ … }}, got {}", source, object.type_name());
  Reader{table, source}.read(table, config, object, "");
}

}  // namespace longhaul
