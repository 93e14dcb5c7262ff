#include "longhaul/model/hf_config.h"

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "longhaul/core/config/field_table.h"
#include "longhaul/core/error.h"
#include "longhaul/core/json_text.h"
#include "longhaul/core/log.h"
#include "model/hf_harmless_fields.h"

namespace longhaul {
namespace {

using nlohmann::json;

[[noreturn]] void wrong_kind(const std::string& key, const json& value, std::string_view wanted) {
  throw UserError("config.json: '{}' is {}, but {} is needed; correct the file", key, lenient_json_text(value), wanted);
}

[[noreturn]] void missing(const std::string& key) {
  throw UserError("config.json: '{}' is missing; add it, or fetch the model's folder again", key);
}

bool is_off(const json& value) {
  return value.is_null() || value == json(false) || (value.is_number() && value.get<double>() == 0) ||
         (value.is_structured() && value.empty());
}

// The first name is the one that export writes.
const std::vector<std::pair<Activation, std::vector<std::string>>>& activations() {
  static const std::vector<std::pair<Activation, std::vector<std::string>>> table{
      {Activation::gelu_erf, {"gelu", "gelu_python"}},
      {Activation::gelu_tanh, {"gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_python_tanh"}},
      {Activation::silu, {"silu", "swish"}},
      {Activation::squared_relu, {"relu2"}},
      {Activation::relu, {"relu"}},
  };
  return table;
}

}  // namespace

HfConfigReader::HfConfigReader(const json& config) : config_(config) {
  if (!config.is_object()) throw UserError("config.json does not hold a JSON object; fetch the model's folder again");
}

bool HfConfigReader::has(const std::string& key) const {
  const auto found = config_.find(key);
  return found != config_.end() && !found->is_null();
}

const json* HfConfigReader::value(const std::string& key) {
  seen_.insert(key);
  const auto found = config_.find(key);
  return found == config_.end() || found->is_null() ? nullptr : &*found;
}

int64_t HfConfigReader::integer(const std::string& key, std::optional<int64_t> fallback) {
  const json* found = value(key);
  if (found == nullptr) {
    if (!fallback) missing(key);
    return *fallback;
  }
  if (found->is_number_integer()) return found->get<int64_t>();
  const double number = found->is_number() ? found->get<double>() : 0.5;
  if (number != std::floor(number) || std::abs(number) > 9e15) wrong_kind(key, *found, "a whole number");
  return static_cast<int64_t>(number);
}

int64_t HfConfigReader::positive(const std::string& key, std::optional<int64_t> fallback) {
  const int64_t result = integer(key, fallback);
  if (result <= 0) wrong_kind(key, result, "a whole number from 1 up");
  return result;
}

double HfConfigReader::number(const std::string& key, std::optional<double> fallback) {
  const json* found = value(key);
  if (found == nullptr) {
    if (!fallback) missing(key);
    return *fallback;
  }
  if (!found->is_number()) wrong_kind(key, *found, "a number");
  return found->get<double>();
}

double HfConfigReader::number_of(std::string_view field, const std::string& key, double fallback) {
  const double result = number(key, fallback);
  const Field* const rule = fields<ModelConfig>().find(field);
  LONGHAUL_CHECK(rule != nullptr, "the model has no field {}", field);
  if (!rule->allows(result)) wrong_kind(key, result, rule->expectation());
  return result;
}

bool HfConfigReader::boolean(const std::string& key, bool fallback) {
  const json* found = value(key);
  if (found == nullptr) return fallback;
  if (!found->is_boolean()) wrong_kind(key, *found, "true or false");
  return found->get<bool>();
}

std::string HfConfigReader::text(const std::string& key, std::string_view fallback) {
  const json* found = value(key);
  if (found == nullptr) return std::string(fallback);
  if (!found->is_string()) wrong_kind(key, *found, "a string");
  return found->get<std::string>();
}

double HfConfigReader::probability(const std::string& key, double fallback) {
  const double result = number(key, fallback);
  if (!(result >= 0 && result < 1)) wrong_kind(key, result, "a probability from 0 to below 1");
  return result;
}

void HfConfigReader::refuse(const std::string& key, std::string_view why) {
  const json* found = value(key);
  if (found == nullptr || is_off(*found)) return;
  throw UserError("config.json: '{}' is {}: {}", key, lenient_json_text(*found), why);
}

void HfConfigReader::ignore(std::initializer_list<std::string_view> keys) {
  for (const auto key : keys) seen_.emplace(key);
}

void HfConfigReader::finish() const {
  std::vector<std::string> unknown;
  for (const auto& [key, field] : config_.items()) {
    if (seen_.contains(key) || is_harmless_hf_field(key)) continue;
    if (const auto why = reason_to_refuse_hf_field(key)) {
      if (is_off(field)) continue;
      throw UserError("config.json: '{}' is {}: {}", key, lenient_json_text(field), *why);
    }
    unknown.push_back(key);
  }
  if (config_.contains("auto_map")) {
    log::warning(
        "config.json: 'auto_map' names code that comes with the model; Longhaul does not run it, and "
        "computes what the "
        "model_type's standard code does");
  }
  if (unknown.empty()) return;
  throw UserError(
      "config.json: unknown {} '{}': Longhaul cannot tell whether {} the model. If the model's code does not "
      "use {}, "
      "remove {} from the file",
      unknown.size() == 1 ? "field" : "fields", fmt::join(unknown, "', '"),
      unknown.size() == 1 ? "it changes" : "they change", unknown.size() == 1 ? "it" : "them",
      unknown.size() == 1 ? "it" : "them");
}

Activation parse_hf_activation(const std::string& key, const std::string& name) {
  std::vector<std::string> known;
  for (const auto& [activation, names] : activations()) {
    for (const auto& candidate : names) {
      if (candidate == name) return activation;
      known.push_back(candidate);
    }
  }
  throw UserError("config.json: '{}' is \"{}\", an activation that Longhaul lacks; it has: {}", key, name,
                  fmt::join(known, ", "));
}

std::string hf_activation_name(Activation activation) {
  for (const auto& [known, names] : activations()) {
    if (known == activation) return names.front();
  }
  LONGHAUL_CHECK(false, "an activation without a Hugging Face name");
  return {};
}

void set_hf_number(json& config, const std::string& key, double value) {
  const auto found = config.find(key);
  if (found != config.end() && found->is_number() && found->get<double>() == value) return;
  config[key] = value;
}

void set_hf_integer(json& config, const std::string& key, int64_t value) {
  const auto found = config.find(key);
  if (found != config.end() && found->is_number() && *found == json(value)) return;
  config[key] = value;
}

void set_hf_integer_or_null(json& config, const std::string& key, int64_t value, int64_t derived) {
  const auto found = config.find(key);
  if (found != config.end() && found->is_null() && value == derived) return;
  set_hf_integer(config, key, value);
}

void set_hf_activation(json& config, const std::string& key, Activation activation) {
  const auto found = config.find(key);
  for (const auto& [known, names] : activations()) {
    if (known != activation || found == config.end() || !found->is_string()) continue;
    for (const auto& name : names) {
      if (*found == json(name)) return;
    }
  }
  config[key] = hf_activation_name(activation);
}

void require_exportable(bool holds, std::string_view family, std::string_view what) {
  if (holds) return;
  throw UserError("this model cannot be written as a Hugging Face {} model: {}", family, what);
}

}  // namespace longhaul
