#include "longhaul/checkpoint/safetensors_dtype.h"

#include <array>
#include <utility>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

constexpr std::array<std::pair<std::string_view, at::ScalarType>, 16> kNames{{
    {"BOOL", at::kBool},
    {"U8", at::kByte},
    {"I8", at::kChar},
    {"F8_E4M3", at::kFloat8_e4m3fn},
    {"F8_E5M2", at::kFloat8_e5m2},
    {"F8_E8M0", at::kFloat8_e8m0fnu},
    {"I16", at::kShort},
    {"U16", at::kUInt16},
    {"F16", at::kHalf},
    {"BF16", at::kBFloat16},
    {"I32", at::kInt},
    {"U32", at::kUInt32},
    {"F32", at::kFloat},
    {"I64", at::kLong},
    {"U64", at::kUInt64},
    {"F64", at::kDouble},
}};

}  // namespace

std::string_view safetensors_name(at::ScalarType dtype) {
  for (const auto& [name, type] : kNames) {
    if (type == dtype) return name;
  }
  LONGHAUL_CHECK(false, "safetensors files cannot hold elements of type {}", c10::toString(dtype));
  return {};
}

std::optional<at::ScalarType> safetensors_dtype(std::string_view name) {
  for (const auto& [known, type] : kNames) {
    if (known == name) return type;
  }
  return std::nullopt;
}

}  // namespace longhaul
