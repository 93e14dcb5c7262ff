// JSON from text and to text. The JSON library's reader and writer are templates that take a compiler one to two
// seconds in each file that calls them; here they are called for all, but for the readers of recipes and of safetensors
// headers, which watch the keys as they come.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace longhaul {

// Throws the library's json::exception when the text is no JSON, and UserError beginning with `source` when it is
// nested too deeply (refuse_deep_json).
nlohmann::json read_json_text(std::string_view text, const std::string& source);
// The same with the keys of objects in the text's order.
nlohmann::ordered_json read_ordered_json_text(std::string_view text, const std::string& source);
// Null when the text is no JSON, or nested too deeply. (So says the text "null".)
nlohmann::json json_or_null(std::string_view text);

// For files: on one line, or with `indent` spaces a level. UserError when a string in it is no UTF-8, since what is
// read back would be another.
std::string json_text(const nlohmann::json& value, int indent = -1);
std::string json_text(const nlohmann::ordered_json& value, int indent = -1);
// For people: bytes that are no UTF-8 become U+FFFD.
std::string lenient_json_text(const nlohmann::json& value, int indent = -1);
std::string lenient_json_text(const nlohmann::ordered_json& value, int indent = -1);
// The same in ASCII, other characters as \u escapes.
std::string ascii_json_text(const nlohmann::json& value, int indent = -1);
std::string ascii_json_text(const nlohmann::ordered_json& value, int indent = -1);

// No file of ours or of Hugging Face nests its values deeply. One that does would overflow the stack of whoever copies
// or prints it: throws UserError, which begins with `source`, when the JSON text nests lists and objects more than 256
// deep.
void refuse_deep_json(std::string_view text, const std::string& source);

}  // namespace longhaul
