#include "longhaul/model/family.h"

#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "longhaul/core/error.h"
#include "model/builtin_families.h"
#include "model/family_names.h"

namespace longhaul {
namespace {

// A deque: references that `family` gave out stay valid when a program registers another.
struct Registry {
  std::mutex mutex;
  std::deque<ModelFamily> families{
      {"llama", "llama", "LlamaForCausalLM", llama::read_config, llama::write_config, llama::mapping},
      {"gpt", "gpt2", "GPT2LMHeadModel", gpt::read_config, gpt::write_config, gpt::mapping},
      {"nemotron", "nemotron", "NemotronForCausalLM", nemotron::read_config, nemotron::write_config, nemotron::mapping},
  };
};

Registry& registry() {
  static Registry instance;
  return instance;
}

template <typename Predicate>
const ModelFamily* find(Predicate predicate) {
  const std::lock_guard lock(registry().mutex);
  for (const auto& candidate : registry().families) {
    if (predicate(candidate)) return &candidate;
  }
  return nullptr;
}

}  // namespace

const ModelFamily& family(std::string_view name) {
  require_family(std::string(name));
  const ModelFamily* const found = find([&](const ModelFamily& candidate) { return candidate.name == name; });
  LONGHAUL_CHECK(found != nullptr, "the family {} has a name alone", name);
  return *found;
}

const ModelFamily& family_of_hf_config(const nlohmann::json& config) {
  const auto type = config.is_object() ? config.find("model_type") : config.end();
  if (!config.is_object() || type == config.end() || !type->is_string()) {
    throw UserError("config.json: 'model_type' is missing; without it the model's family is not known");
  }
  const auto& name = type->get_ref<const std::string&>();
  if (const auto* found = find([&](const ModelFamily& candidate) { return candidate.hf_model_type == name; })) {
    return *found;
  }
  std::vector<std::string> known;
  {
    const std::lock_guard lock(registry().mutex);
    for (const auto& candidate : registry().families) known.push_back(candidate.hf_model_type);
  }
  throw UserError("config.json: model_type '{}' is not supported; supported are: {}", name, fmt::join(known, ", "));
}

void register_family(ModelFamily family) {
  LONGHAUL_CHECK(family.read_config && family.write_config && family.mapping, "family '{}' lacks a function",
                 family.name);
  const auto same = [&](const ModelFamily& candidate) {
    return candidate.name == family.name || candidate.hf_model_type == family.hf_model_type;
  };
  if (find(same) != nullptr) {
    throw UserError(
        "register_family: a family '{}' (or one of model_type '{}') is registered already; choose another "
        "name",
        family.name, family.hf_model_type);
  }
  const std::lock_guard lock(registry().mutex);
  add_family_name(family.name);
  registry().families.push_back(std::move(family));
}

}  // namespace longhaul
