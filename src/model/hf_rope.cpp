// transformers 4 spreads the rotary embedding over rope_theta, rope_scaling and partial_rotary_factor;
// transformers 5 keeps it in one object, rope_parameters. Both may stand in one file, but must then agree.
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "longhaul/core/config/field_table.h"
#include "longhaul/core/error.h"
#include "longhaul/core/json_text.h"
#include "longhaul/model/hf_config.h"

namespace longhaul {
namespace {

using nlohmann::json;

struct RopeObject {
  std::optional<double> theta, fraction;
  RopeScaling scaling;
};

double field(const std::string& where, const json& object, const char* key, std::optional<double> fallback = {}) {
  const auto found = object.find(key);
  if (found == object.end() || found->is_null()) {
    if (!fallback)
      throw UserError("config.json: '{}.{}' is missing; add it, or fetch the model's folder again", where, key);
    return *fallback;
  }
  if (!found->is_number())
    throw UserError("config.json: '{}.{}' is {}, but a number is needed", where, key, lenient_json_text(*found));
  return found->get<double>();
}

// A number that becomes RopeScaling's field `name`, within the field's range.
double scaling_field(const std::string& where, const json& object, std::string_view name, const char* key,
                     std::optional<double> fallback = {}) {
  const double result = field(where, object, key, fallback);
  const Field& rule = *fields<RopeScaling>().find(name);
  const bool whole = rule.type != FieldType::integer || (result == std::floor(result) && std::abs(result) <= 0x1p53);
  if (!whole ||
      !rule.allows(rule.type == FieldType::integer ? FieldValue(static_cast<int64_t>(result)) : FieldValue(result))) {
    throw UserError("config.json: '{}.{}' is {}, but {} is needed", where, key, result, rule.expectation());
  }
  return result;
}

std::string rope_type(const std::string& where, const json& object) {
  for (const char* key : {"rope_type", "type"}) {
    const auto found = object.find(key);
    if (found == object.end() || found->is_null()) continue;
    if (!found->is_string())
      throw UserError("config.json: '{}.{}' is {}, but a string is needed", where, key, lenient_json_text(*found));
    return found->get<std::string>();
  }
  return "default";
}

RopeObject parse(const std::string& where, const json& object, int64_t max_positions) {
  if (!object.is_object())
    throw UserError("config.json: '{}' is {}, but an object is needed", where, lenient_json_text(object));
  RopeObject result;
  std::set<std::string> known{"rope_type", "type", "rope_theta", "partial_rotary_factor"};
  const std::string type = rope_type(where, object);
  if (object.contains("rope_theta")) result.theta = field(where, object, "rope_theta");
  if (object.contains("partial_rotary_factor")) result.fraction = field(where, object, "partial_rotary_factor");
  if (type == "linear") {
    result.scaling.kind = RopeScalingKind::linear;
    result.scaling.factor = scaling_field(where, object, "factor", "factor");
    known.insert("factor");
  } else if (type == "llama3") {
    result.scaling.kind = RopeScalingKind::llama3;
    result.scaling.factor = scaling_field(where, object, "factor", "factor");
    result.scaling.low_freq_factor = scaling_field(where, object, "low_freq_factor", "low_freq_factor");
    result.scaling.high_freq_factor = scaling_field(where, object, "high_freq_factor", "high_freq_factor");
    result.scaling.original_max_positions =
        static_cast<int64_t>(scaling_field(where, object, "original_max_positions", "original_max_position_embeddings",
                                           static_cast<double>(max_positions)));
    known.insert({"factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"});
    if (!(result.scaling.high_freq_factor > result.scaling.low_freq_factor)) {
      throw UserError("config.json: '{}': high_freq_factor {} must be greater than low_freq_factor {}", where,
                      result.scaling.high_freq_factor, result.scaling.low_freq_factor);
    }
  } else if (type != "default") {
    throw UserError(
        "config.json: '{}' asks for rotary scaling of type \"{}\", which Longhaul lacks; it has: default, "
        "linear, llama3",
        where, type);
  }
  for (const auto& [key, value] : object.items()) {
    if (!known.contains(key) && !value.is_null()) {
      throw UserError(
          "config.json: unknown field '{}.{}' for rotary scaling of type \"{}\"; remove it if the model's "
          "code does not use it",
          where, key, type);
    }
  }
  return result;
}

// The one value that all the given ones agree on.
double agree(const char* what, std::initializer_list<std::optional<double>> values, double fallback) {
  std::optional<double> result;
  for (const auto& value : values) {
    if (!value) continue;
    if (result && *result != *value) {
      throw UserError("config.json gives {} twice, as {} and as {}; keep the right one", what, *result, *value);
    }
    result = value;
  }
  return result.value_or(fallback);
}

std::optional<double> optional_number(HfConfigReader& reader, const std::string& key) {
  return reader.value(key) != nullptr ? std::optional(reader.number(key)) : std::nullopt;
}

const char* type_name(RopeScalingKind kind) {
  switch (kind) {
    case RopeScalingKind::linear:
      return "linear";
    case RopeScalingKind::llama3:
      return "llama3";
    case RopeScalingKind::none:
      break;
  }
  return "default";
}

void put_scaling(const RopeScaling& scaling, json& object) {
  for (const char* key :
       {"type", "factor", "low_freq_factor", "high_freq_factor", "original_max_position_embeddings"}) {
    object.erase(key);
  }
  object["rope_type"] = type_name(scaling.kind);
  if (scaling.kind == RopeScalingKind::none) return;
  object["factor"] = scaling.factor;
  if (scaling.kind != RopeScalingKind::llama3) return;
  object["low_freq_factor"] = scaling.low_freq_factor;
  object["high_freq_factor"] = scaling.high_freq_factor;
  object["original_max_position_embeddings"] = scaling.original_max_positions;
}

bool is_object_with_content(const json& config, const char* key) {
  const auto found = config.find(key);
  return found != config.end() && found->is_object() && !found->empty();
}

}  // namespace

HfRope read_hf_rope(HfConfigReader& reader, double default_fraction, int64_t max_positions) {
  std::optional<RopeObject> old_style, new_style;
  if (const json* object = reader.value("rope_scaling"); object != nullptr && !object->empty()) {
    old_style = parse("rope_scaling", *object, max_positions);
  }
  if (const json* object = reader.value("rope_parameters"); object != nullptr && !object->empty()) {
    new_style = parse("rope_parameters", *object, max_positions);
  }
  if (old_style && new_style && !(old_style->scaling == new_style->scaling)) {
    throw UserError("config.json: 'rope_scaling' and 'rope_parameters' disagree; keep the right one");
  }
  const RopeObject none;
  const RopeObject& first = old_style ? *old_style : none;
  const RopeObject& second = new_style ? *new_style : none;
  HfRope rope;
  rope.theta = agree("rope_theta", {optional_number(reader, "rope_theta"), first.theta, second.theta}, 10000.0);
  rope.fraction =
      agree("partial_rotary_factor",
            {optional_number(reader, "partial_rotary_factor"), first.fraction, second.fraction}, default_fraction);
  rope.scaling = old_style ? first.scaling : second.scaling;
  if (!(rope.theta > 0)) throw UserError("config.json: 'rope_theta' is {}, but a number above 0 is needed", rope.theta);
  if (!(rope.fraction > 0 && rope.fraction <= 1)) {
    throw UserError("config.json: 'partial_rotary_factor' is {}, but a number above 0 and up to 1 is needed",
                    rope.fraction);
  }
  return rope;
}

void write_hf_rope(const ModelConfig& model, json& config) {
  set_hf_number(config, "rope_theta", model.rope_theta);
  const bool partial = model.rotary_fraction != 1.0;
  if (partial || config.contains("partial_rotary_factor")) {
    set_hf_number(config, "partial_rotary_factor", model.rotary_fraction);
  }
  const auto says_the_same = [&](const char* key) {
    return parse(key, config[key], model.max_positions).scaling == model.rope_scaling;
  };
  if (model.rope_scaling.kind == RopeScalingKind::none) {
    config["rope_scaling"] = nullptr;
  } else {
    if (!is_object_with_content(config, "rope_scaling")) config["rope_scaling"] = json::object();
    json& scaling = config["rope_scaling"];
    if (!says_the_same("rope_scaling")) put_scaling(model.rope_scaling, scaling);
    if (scaling.contains("rope_theta")) set_hf_number(scaling, "rope_theta", model.rope_theta);
    if (scaling.contains("partial_rotary_factor"))
      set_hf_number(scaling, "partial_rotary_factor", model.rotary_fraction);
  }
  if (!is_object_with_content(config, "rope_parameters")) return;
  json& parameters = config["rope_parameters"];
  if (!says_the_same("rope_parameters")) put_scaling(model.rope_scaling, parameters);
  set_hf_number(parameters, "rope_theta", model.rope_theta);
  if (partial || parameters.contains("partial_rotary_factor")) {
    set_hf_number(parameters, "partial_rotary_factor", model.rotary_fraction);
  }
}

}  // namespace longhaul
