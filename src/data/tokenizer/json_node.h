// A value in a JSON file together with where it stands, so that every complaint names the file and the key.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "longhaul/core/error.h"
#include "longhaul/core/json_text.h"

namespace longhaul::tokenizer {

class JsonNode {
 public:
  JsonNode(const nlohmann::json& value, const std::filesystem::path& file, std::string key = {})
      : value_(value), file_(file), key_(std::move(key)) {}

  const nlohmann::json& value() const { return value_; }
  // "folder/tokenizer.json: model.vocab"
  std::string where() const { return key_.empty() ? file_.string() : fmt::format("{}: {}", file_.string(), key_); }

  bool has(const char* key) const { return value_.is_object() && value_.contains(key) && !value_[key].is_null(); }
  // The member `key`; an error if there is none, or if it is null.
  JsonNode at(const char* key) const {
    if (!has(key)) throw UserError("{}: \"{}\" is missing. The file is incomplete; get it again.", where(), key);
    return {value_[key], file_, join(key)};
  }
  // The elements of an array.
  std::vector<JsonNode> elements() const {
    require(value_.is_array(), "an array");
    std::vector<JsonNode> nodes;
    for (size_t i = 0; i < value_.size(); ++i) nodes.emplace_back(value_[i], file_, fmt::format("{}[{}]", key_, i));
    return nodes;
  }

  const std::string& string() const {
    require(value_.is_string(), "a string");
    return value_.get_ref<const std::string&>();
  }
  bool boolean() const {
    require(value_.is_boolean(), "true or false");
    return value_.get<bool>();
  }
  // 0 … 2^31 - 1
  int32_t integer() const {
    require(value_.is_number_integer() && value_ >= 0 && value_ <= INT32_MAX, "a whole number that isn't negative");
    return value_.get<int32_t>();
  }
  bool boolean_or(const char* key, bool otherwise) const { return has(key) ? at(key).boolean() : otherwise; }

  void require(bool condition, std::string_view expected) const {
    if (!condition) throw UserError("{}: expected {}, found {}.", where(), expected, excerpt());
  }

 private:
  std::string join(const char* key) const { return key_.empty() ? key : fmt::format("{}.{}", key_, key); }
  std::string excerpt() const {
    std::string text = lenient_json_text(value_);
    if (text.size() > 60) text = text.substr(0, 57) + "...";
    return text;
  }
  const nlohmann::json& value_;
  const std::filesystem::path& file_;
  std::string key_;
};

// Parses a file's text; UserError when it is no JSON.
nlohmann::json parse_json(std::string_view text, const std::filesystem::path& file);

}  // namespace longhaul::tokenizer
