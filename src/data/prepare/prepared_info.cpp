#include "longhaul/data/prepared_info.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/json_text.h"
#include "longhaul/data/indexed_dataset.h"

namespace longhaul {

std::string prepared_info_path(const std::string& prefix) {
  return dataset_prefix(prefix) + ".json";
}

std::string prepared_info_text(const PreparedInfo& info) {
  nlohmann::ordered_json json{
      {"tokenizer_fingerprint", info.tokenizer_fingerprint},
      {"vocab_size", info.vocab_size},
      {"eod_id", info.eod_id ? nlohmann::ordered_json(*info.eod_id) : nlohmann::ordered_json(nullptr)},
      {"append_eod", info.append_eod},
      {"add_special_tokens", info.add_special_tokens},
      {"documents", info.documents},
      {"tokens", info.tokens},
      {"largest_id", info.largest_id},
  };
  if (!info.sentences.empty()) json["sentences"] = info.sentences;
  if (info.partition) {
    json["partition"] = {{"index", info.partition->index},
                         {"count", info.partition->count},
                         {"round_robin", info.partition->round_robin},
                         {"corpus", info.corpus}};
  }
  if (!info.made_of.empty()) json["made_of"] = info.made_of;
  return json_text(json, 2) + "\n";
}

std::optional<PreparedInfo> read_prepared_info(const std::string& prefix) {
  const std::string path = prepared_info_path(prefix);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::nullopt;
  try {
    const auto json = read_json_text(read_text(path), path);
    PreparedInfo info;
    json.at("tokenizer_fingerprint").get_to(info.tokenizer_fingerprint);
    json.at("vocab_size").get_to(info.vocab_size);
    if (!json.at("eod_id").is_null()) info.eod_id = json.at("eod_id").get<int32_t>();
    json.at("append_eod").get_to(info.append_eod);
    json.at("add_special_tokens").get_to(info.add_special_tokens);
    json.at("documents").get_to(info.documents);
    json.at("tokens").get_to(info.tokens);
    json.at("largest_id").get_to(info.largest_id);
    if (const auto sentences = json.find("sentences"); sentences != json.end()) sentences->get_to(info.sentences);
    if (const auto part = json.find("partition"); part != json.end()) {
      info.partition.emplace();
      part->at("index").get_to(info.partition->index);
      part->at("count").get_to(info.partition->count);
      part->at("round_robin").get_to(info.partition->round_robin);
      part->at("corpus").get_to(info.corpus);
    }
    if (const auto made_of = json.find("made_of"); made_of != json.end() && made_of->is_object())
      made_of->get_to(info.made_of);
    return info;
  } catch (const nlohmann::json::exception& error) {
    throw UserError("{} is damaged ({}): prepare the data again, or remove the file to train without its checks", path,
                    error.what());
  }
}

}  // namespace longhaul
