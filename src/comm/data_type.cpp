#include "longhaul/comm/data_type.h"

#include "longhaul/core/error.h"

namespace longhaul::comm {

std::size_t size_of(DataType type) {
  switch (type) {
    case DataType::u8:
      return 1;
    case DataType::bf16:
    case DataType::f16:
      return 2;
    case DataType::i32:
    case DataType::f32:
      return 4;
    case DataType::i64:
    case DataType::f64:
      return 8;
  }
  LONGHAUL_CHECK(false, "data type {}", static_cast<int>(type));
  __builtin_unreachable();
}

std::string_view name_of(DataType type) {
  switch (type) {
    case DataType::u8:
      return "u8";
    case DataType::i32:
      return "i32";
    case DataType::i64:
      return "i64";
    case DataType::f32:
      return "f32";
    case DataType::f64:
      return "f64";
    case DataType::bf16:
      return "bf16";
    case DataType::f16:
      return "f16";
  }
  return "?";
}

}  // namespace longhaul::comm
