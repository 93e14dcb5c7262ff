#include "comm/reduce.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace longhaul::comm {
namespace {

template <typename T>
struct Plain {
  using Element = T;
  using Sum = T;
  static Sum widen(Element x) { return x; }
  static Element narrow(Sum x) { return x; }
};

struct Bf16 {
  using Element = uint16_t;
  using Sum = float;
  static Sum widen(Element x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }
  static Element narrow(Sum x) {
    const auto bits = std::bit_cast<uint32_t>(x);
    if (std::isnan(x)) return static_cast<Element>((bits >> 16) | 0x40);
    return static_cast<Element>((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);  // to nearest, ties to even
  }
};

struct Fp16 {
  using Element = uint16_t;
  using Sum = float;
  static Sum widen(Element x) { return static_cast<float>(std::bit_cast<_Float16>(x)); }
  static Element narrow(Sum x) { return std::bit_cast<Element>(static_cast<_Float16>(x)); }
};

template <typename Format>
void reduce_as(std::span<const void* const> inputs, void* out, int64_t count, ReduceOp op) {
  using Element = typename Format::Element;
  using Sum = typename Format::Sum;
  for (int64_t i = 0; i < count; ++i) {
    Sum total = Format::widen(static_cast<const Element*>(inputs[0])[i]);
    for (size_t rank = 1; rank < inputs.size(); ++rank) {
      const Sum x = Format::widen(static_cast<const Element*>(inputs[rank])[i]);
      switch (op) {
        case ReduceOp::sum: total = static_cast<Sum>(total + x); break;
        case ReduceOp::max: total = std::max(total, x); break;
        case ReduceOp::min: total = std::min(total, x); break;
      }
    }
    static_cast<Element*>(out)[i] = Format::narrow(total);
  }
}

}  // namespace

void reduce(std::span<const void* const> inputs, void* out, int64_t count, DataType type, ReduceOp op) {
  switch (type) {
    case DataType::u8: return reduce_as<Plain<uint8_t>>(inputs, out, count, op);
    case DataType::i32: return reduce_as<Plain<int32_t>>(inputs, out, count, op);
    case DataType::i64: return reduce_as<Plain<int64_t>>(inputs, out, count, op);
    case DataType::f32: return reduce_as<Plain<float>>(inputs, out, count, op);
    case DataType::f64: return reduce_as<Plain<double>>(inputs, out, count, op);
    case DataType::bf16: return reduce_as<Bf16>(inputs, out, count, op);
    case DataType::f16: return reduce_as<Fp16>(inputs, out, count, op);
  }
}

}  // namespace longhaul::comm
