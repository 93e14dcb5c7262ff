// A tokenizer: its kind, its size, its special tokens.
#include "longhaul/data/tokenizer/tokenizer.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/inspect/inspect.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/hash.h"
#include "longhaul/core/json_text.h"
#include "longhaul/core/table.h"

namespace longhaul::cli {

std::string tokenizer_kind(const std::filesystem::path& folder) {
  const auto json = json_or_null(read_text(folder / "tokenizer.json"));
  const auto model = json.is_object() ? json.find("model") : json.end();
  if (!json.is_object() || model == json.end() || !model->is_object()) {
    throw UserError("{}: not a tokenizer.json; fetch the file again", (folder / "tokenizer.json").string());
  }
  const std::string type = model->value("type", "BPE");
  if (type != "BPE") return type;
  if (json_text(json.value("decoder", nlohmann::json())).find("\"ByteLevel\"") != std::string::npos)
    return "byte-level BPE";
  return model->value("byte_fallback", false) ? "BPE with byte fallback (SentencePiece)" : "BPE";
}

void inspect_tokenizer(const std::filesystem::path& folder) {
  const auto tokenizer = Tokenizer::from_folder(folder);
  TextTable table;
  table.add({"kind", tokenizer_kind(folder)});
  table.add({"tokens", group_digits(tokenizer->vocab_size())});
  const auto add = [&](const char* name, std::optional<int32_t> id) {
    if (id) table.add({name, fmt::format("{} ({})", *id, tokenizer->id_to_token(*id))});
  };
  add("begins a text", tokenizer->bos_id());
  add("ends a text", tokenizer->eos_id());
  add("padding", tokenizer->pad_id());
  table.add({"fingerprint", hex64(tokenizer->fingerprint())});
  fmt::print("tokenizer {}\n\n{}", folder.string(), table.str());
}

}  // namespace longhaul::cli
