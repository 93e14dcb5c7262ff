#include "longhaul/core/json_text.h"

#include <nlohmann/json.hpp>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

template <class Json>
std::string strict(const Json& value, int indent) {
  try {
    return value.dump(indent);
  } catch (const typename Json::type_error& error) {
    throw UserError(
        "a name or text that goes into a JSON file is no UTF-8 ({}): rename it, or set a UTF-8 locale and give it again",
        error.what());
  }
}

template <class Json>
std::string lenient(const Json& value, int indent, bool ascii) {
  return value.dump(indent, ' ', ascii, Json::error_handler_t::replace);
}

}  // namespace

nlohmann::json read_json_text(std::string_view text, const std::string& source) {
  refuse_deep_json(text, source);
  return nlohmann::json::parse(text);
}

nlohmann::ordered_json read_ordered_json_text(std::string_view text, const std::string& source) {
  refuse_deep_json(text, source);
  return nlohmann::ordered_json::parse(text);
}

nlohmann::json json_or_null(std::string_view text) {
  try {
    return read_json_text(text, "");
  } catch (const nlohmann::json::exception&) {
  } catch (const UserError&) {
  }
  return nullptr;
}

std::string json_text(const nlohmann::json& value, int indent) {
  return strict(value, indent);
}
std::string json_text(const nlohmann::ordered_json& value, int indent) {
  return strict(value, indent);
}
std::string lenient_json_text(const nlohmann::json& value, int indent) {
  return lenient(value, indent, false);
}
std::string lenient_json_text(const nlohmann::ordered_json& value, int indent) {
  return lenient(value, indent, false);
}
std::string ascii_json_text(const nlohmann::json& value, int indent) {
  return lenient(value, indent, true);
}
std::string ascii_json_text(const nlohmann::ordered_json& value, int indent) {
  return lenient(value, indent, true);
}

void refuse_deep_json(std::string_view text, const std::string& source) {
  constexpr int kDeepest = 256;
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') in_string = !in_string;
    if (in_string) {
      if (c == '\\') ++i;
      continue;
    }
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kDeepest) {
      throw UserError("{}: its values are nested more than {} deep, at byte {}; no file of this kind is like that",
                      source, kDeepest, i);
    }
  }
}

}  // namespace longhaul
