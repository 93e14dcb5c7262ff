// Bytes that a rank sends, as the textbook counts them for a ring of n ranks and a message of B bytes (B: the whole
// tensor, before a reduce-scatter or after an all-gather):
//   all-reduce 2 (n - 1) / n × B,  reduce-scatter and all-gather (n - 1) / n × B,  broadcast (n - 1) / n × B,
//   all-to-all what goes to others,  send B.
// Backends count by these formulas whatever algorithm they use, so that layouts can be compared with theory.
#pragma once

#include <cstdint>

namespace longhaul::comm {

struct Traffic {
  struct Operation {
    int64_t calls = 0;
    int64_t bytes = 0;
  };
  Operation all_reduce, reduce_scatter, all_gather, all_to_all, broadcast, send;
  int64_t bytes() const {
    return all_reduce.bytes + reduce_scatter.bytes + all_gather.bytes + all_to_all.bytes + broadcast.bytes + send.bytes;
  }
};

}  // namespace longhaul::comm
