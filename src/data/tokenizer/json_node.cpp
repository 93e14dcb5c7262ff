#include "data/tokenizer/json_node.h"

namespace longhaul::tokenizer {

nlohmann::json parse_json(std::string_view text, const std::filesystem::path& file) {
  try {
    return read_json_text(text, file.string());
  } catch (const nlohmann::json::parse_error& error) {
    throw UserError("{}: not valid JSON, at byte {} of {}. The file is damaged or cut off; get it again.",
                    file.string(), error.byte, text.size());
  } catch (const nlohmann::json::out_of_range&) {
    throw UserError("{}: holds a number beyond what any number can be. The file is damaged; get it again.",
                    file.string());
  }
}

}  // namespace longhaul::tokenizer
