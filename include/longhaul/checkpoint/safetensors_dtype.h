// The names that safetensors files give to element types.
#pragma once

#include <c10/core/ScalarType.h>

#include <optional>
#include <string_view>

namespace longhaul {

// "F32", "BF16", … of a type that safetensors can hold; an internal error for any other.
std::string_view safetensors_name(at::ScalarType dtype);
// Nothing for a name that is unknown, or that LibTorch has no type of whole bytes for (F4, F6_E2M3, …).
std::optional<at::ScalarType> safetensors_dtype(std::string_view name);

}  // namespace longhaul
