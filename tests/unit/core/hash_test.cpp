#include "longhaul/core/hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace longhaul {
namespace {

// No bytes have the value that the reference implementation documents.
TEST(Xxh3, InPiecesAsInOne) {
  EXPECT_EQ(hex64(Xxh3().value()), "2d06800538d394c2");
  std::vector<std::byte> bytes(5000);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 37 % 251);
  const std::span<const std::byte> all(bytes);
  for (const size_t piece : {size_t{1}, size_t{64}, size_t{777}, size_t{5000}}) {
    Xxh3 hash;
    for (size_t begin = 0; begin < all.size(); begin += piece) {
      EXPECT_EQ(hash.value(), xxh3(all.first(begin)));
      hash.add(all.subspan(begin, std::min(piece, all.size() - begin)));
    }
    EXPECT_EQ(hash.value(), xxh3(all)) << piece;
  }
}

}  // namespace
}  // namespace longhaul
