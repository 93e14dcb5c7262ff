#include "longhaul/model/flat_pieces.h"

#include <algorithm>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

// Elements [begin, end) of a block with rows of `width`, counted from the block's first.
void cut_rows(const Block& block, int64_t width, bool vector, FlatRange elements, FlatPiece piece,
              std::vector<FlatPiece>& out) {
  const int64_t start = piece.begin;
  int64_t at = elements.begin;
  while (at < elements.end) {
    const int64_t row = at / width, column = at % width;
    // Whole rows where the rest begins with one, else what is left of this row.
    const int64_t rows = column == 0 ? (elements.end - at) / width : 0;
    const int64_t count = rows > 0 ? rows * width : std::min(width - column, elements.end - at);
    piece.begin = start + at;
    if (vector) {
      piece.offsets = {block.begin + at};
      piece.shape = {count};
    } else {
      piece.offsets = block.dim == 0 ? std::vector{block.begin + row, column} : std::vector{row, block.begin + column};
      piece.shape = {std::max<int64_t>(rows, 1), rows > 0 ? width : count};
    }
    out.push_back(piece);
    at += count;
  }
}

}  // namespace

std::vector<FlatPiece> flat_pieces(const ParameterStore& store, FlatRange within, PieceChoice choice) {
  std::vector<FlatPiece> pieces;
  for (size_t i = 0; i < store.parameters().size(); ++i) {
    const Parameter& p = store.parameters()[i];
    const bool vector = p.value.dim() == 1;
    LONGHAUL_CHECK(vector || p.value.dim() == 2, "{} has {} dimensions", p.name, p.value.dim());
    for (size_t b = 0; b < p.blocks.size(); ++b) {
      const Block& block = p.blocks[b];
      if (choice == PieceChoice::owned && !block.owned) continue;
      const FlatRange range = store.range_of(i, b);
      const FlatRange cut{std::max(range.begin, within.begin) - range.begin,
                          std::min(range.end, within.end) - range.begin};
      if (cut.begin >= cut.end) continue;
      cut_rows(block, vector ? p.value.numel() : p.value.size(1), vector, cut, {i, {}, {}, range.begin}, pieces);
    }
  }
  return pieces;
}

}  // namespace longhaul
