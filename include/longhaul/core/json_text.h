// JSON from text and to text. The JSON library's reader and writer are templates that take a compiler one to two seconds in each
// file that calls them; here they are called once for all.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace longhaul {

// Throws the library's json::exception when the text is no JSON, and UserError beginning with `source` when it is nested too
// deeply (refuse_deep_json).
nlohmann::json read_json_text(std::string_view text, const std::string& source);
// The same with the keys of objects in the text's order.
nlohmann::ordered_json read_ordered_json_text(std::string_view text, const std::string& source);
// Null when the text is no JSON.
nlohmann::json json_or_null(std::string_view text);

// On one line, or with `indent` spaces a level. Bytes that are no UTF-8 become U+FFFD.
std::string json_text(const nlohmann::json& value, int indent = -1);
std::string json_text(const nlohmann::ordered_json& value, int indent = -1);
// The same in ASCII, other characters as \u escapes.
std::string json_ascii_text(const nlohmann::json& value, int indent = -1);
std::string json_ascii_text(const nlohmann::ordered_json& value, int indent = -1);

// No file of ours or of Hugging Face nests its values deeply. One that does would overflow the stack of whoever copies or
// prints it: throws UserError, which begins with `source`, when the JSON text nests lists and objects more than 256 deep.
void refuse_deep_json(std::string_view text, const std::string& source);

}  // namespace longhaul
