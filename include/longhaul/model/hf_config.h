// Reading and writing the fields of a Hugging Face config.json, for the families' `read_config` and
// `write_config`.
//
// The reader remembers which fields were asked for. `finish` refuses the rest, unless they are known not to
// change the model: a field that Longhaul would silently drop could be the one that makes all the difference.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "longhaul/model/model_config.h"

namespace longhaul {

class HfConfigReader {
 public:
  // `config` must be an object (UserError) and outlive the reader.
  explicit HfConfigReader(const nlohmann::json& config);

  // True when the field is there and not null.
  bool has(const std::string& key) const;
  const nlohmann::json* value(const std::string& key);  // marks the field as read; null pointer when absent or null

  // An absent field, or null, gives the default; without one it is an error. UserError for a value of another
  // kind.
  int64_t integer(const std::string& key, std::optional<int64_t> fallback = std::nullopt);
  int64_t positive(const std::string& key, std::optional<int64_t> fallback = std::nullopt);
  double number(const std::string& key, std::optional<double> fallback = std::nullopt);
  // A number that becomes ModelConfig's field of that name, within the field's range (UserError).
  double number_of(std::string_view field, const std::string& key, double fallback);
  bool boolean(const std::string& key, bool fallback);
  std::string text(const std::string& key, std::string_view fallback);
  double probability(const std::string& key, double fallback);  // in [0, 1)

  // Refuses the field if it is there with any value but null, false, 0, or an empty list or object.
  void refuse(const std::string& key, std::string_view why);
  // Fields of this family that don't change the model.
  void ignore(std::initializer_list<std::string_view> keys);

  // UserError that lists every field that was neither read nor is known to be harmless.
  void finish() const;

 private:
  const nlohmann::json& config_;
  std::set<std::string, std::less<>> seen_;
};

// Hugging Face's name of an activation ("silu", "gelu_new", …); UserError that lists the known ones.
Activation parse_hf_activation(const std::string& key, const std::string& name);
std::string hf_activation_name(Activation activation);

// Writers that leave a value as it stands when it means the same already.
void set_hf_number(nlohmann::json& config, const std::string& key, double value);
void set_hf_integer(nlohmann::json& config, const std::string& key, int64_t value);
// For a field where null stands for `derived`.
void set_hf_integer_or_null(nlohmann::json& config, const std::string& key, int64_t value, int64_t derived);
void set_hf_activation(nlohmann::json& config, const std::string& key, Activation activation);

// UserError "cannot be written as a Hugging Face … model: …" unless `holds`.
void require_exportable(bool holds, std::string_view family, std::string_view what);

// Rotary embedding, in the spelling of transformers 4 (rope_theta, rope_scaling, partial_rotary_factor) and
// of 5 (all in rope_parameters). Scaling kinds: default, linear, llama3; others are refused by name.
struct HfRope {
  double theta = 10000.0;
  double fraction = 1.0;
  RopeScaling scaling;
};
HfRope read_hf_rope(HfConfigReader& reader, double default_fraction, int64_t max_positions);
// Writes transformers 4's fields, which every version reads, and brings rope_parameters up to date where the
// source has it.
void write_hf_rope(const ModelConfig& model, nlohmann::json& config);

}  // namespace longhaul
