// Fields of config.json that every family shares: those that never change the weights' meaning, and those
// that do when they are switched on.
#pragma once

#include <optional>
#include <string_view>

namespace longhaul {

bool is_harmless_hf_field(std::string_view key);
// Why a model with this field switched on is refused; nothing for a field that is not on the list.
std::optional<std::string_view> reason_to_refuse_hf_field(std::string_view key);

}  // namespace longhaul
