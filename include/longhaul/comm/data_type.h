// The element types that a communicator moves and sums.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace longhaul::comm {

enum class DataType { u8, i32, i64, f32, f64, bf16, f16 };
enum class ReduceOp { sum, max, min };

std::size_t size_of(DataType type);       // bytes
std::string_view name_of(DataType type);  // "f32"

}  // namespace longhaul::comm
