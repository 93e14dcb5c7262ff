// A stretch of a rank's flat buffers as rectangles of the global tensors: what checkpoints of any layout are made of.
#pragma once

#include <string>
#include <vector>

#include "longhaul/model/parameter_store.h"

namespace longhaul {

struct FlatPiece {
  size_t parameter = 0;          // index in the store
  std::vector<int64_t> offsets;  // where the rectangle begins in the global tensor
  std::vector<int64_t> shape;
  int64_t begin = 0;  // its first element in the flat buffers, where it is contiguous
};

enum class PieceChoice { all, owned };  // owned: of blocks that several tensor-parallel ranks hold, one rank's

// The pieces that lie in `within`, in the order of the flat buffers. A range that ends inside a row makes up to three
// of a block: the rest of a row, whole rows, a row's beginning.
std::vector<FlatPiece> flat_pieces(const ParameterStore& store, FlatRange within, PieceChoice choice);

}  // namespace longhaul
