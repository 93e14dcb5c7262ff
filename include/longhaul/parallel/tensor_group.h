// The ranks that share each matrix (tensor parallelism), as layers and operators take them. Under sequence parallelism
// each of them holds, outside attention and MLP, a contiguous slice of the tokens.
#pragma once

#include "longhaul/comm/communicator.h"

namespace longhaul {

struct TensorGroup {
  comm::Communicator* ranks = nullptr;  // null: this rank holds whole matrices
  bool sequence = false;
  // In how many pieces of the tokens hidden states travel, so that the product of one is computed while another is on
  // its way.
  int64_t chunks = 1;

  int rank() const { return ranks != nullptr ? ranks->rank() : 0; }
  int size() const { return ranks != nullptr ? ranks->size() : 1; }
  bool active() const { return size() > 1; }
  bool cuts_tokens() const { return sequence && active(); }
  // Of `tokens`, how many this rank holds outside attention and MLP, and the first of them.
  int64_t held_tokens(int64_t tokens) const { return cuts_tokens() ? tokens / size() : tokens; }
  int64_t first_token(int64_t tokens) const { return cuts_tokens() ? rank() * held_tokens(tokens) : 0; }
};

}  // namespace longhaul
