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

// A block of sums at a time stays in the cache, and its loops are plain enough for the compiler to vectorise.
constexpr int64_t kBlock = 1024;

template <typename Format, typename Combine>
void reduce_with(std::span<const void* const> inputs, void* out, int64_t count, Combine combine) {
  using Element = typename Format::Element;
  using Sum = typename Format::Sum;
  Sum total[kBlock];
  for (int64_t start = 0; start < count; start += kBlock) {
    const int64_t n = std::min(kBlock, count - start);
    const Element* first = static_cast<const Element*>(inputs[0]) + start;
    for (int64_t i = 0; i < n; ++i) total[i] = Format::widen(first[i]);
    for (size_t rank = 1; rank < inputs.size(); ++rank) {
      const Element* next = static_cast<const Element*>(inputs[rank]) + start;
      for (int64_t i = 0; i < n; ++i) total[i] = static_cast<Sum>(combine(total[i], Format::widen(next[i])));
    }
    Element* to = static_cast<Element*>(out) + start;
    for (int64_t i = 0; i < n; ++i) to[i] = Format::narrow(total[i]);
  }
}

template <typename Format>
void reduce_as(std::span<const void* const> inputs, void* out, int64_t count, ReduceOp op) {
  switch (op) {
    case ReduceOp::sum:
      return reduce_with<Format>(inputs, out, count, [](auto a, auto b) { return a + b; });
    case ReduceOp::max:
      return reduce_with<Format>(inputs, out, count, [](auto a, auto b) { return a < b ? b : a; });
    case ReduceOp::min:
      return reduce_with<Format>(inputs, out, count, [](auto a, auto b) { return b < a ? b : a; });
  }
}

}  // namespace

void reduce(std::span<const void* const> inputs, void* out, int64_t count, DataType type, ReduceOp op) {
  switch (type) {
    case DataType::u8:
      return reduce_as<Plain<uint8_t>>(inputs, out, count, op);
    case DataType::i32:
      return reduce_as<Plain<int32_t>>(inputs, out, count, op);
    case DataType::i64:
      return reduce_as<Plain<int64_t>>(inputs, out, count, op);
    case DataType::f32:
      return reduce_as<Plain<float>>(inputs, out, count, op);
    case DataType::f64:
      return reduce_as<Plain<double>>(inputs, out, count, op);
    case DataType::bf16:
      return reduce_as<Bf16>(inputs, out, count, op);
    case DataType::f16:
      return reduce_as<Fp16>(inputs, out, count, op);
  }
}

}  // namespace longhaul::comm
