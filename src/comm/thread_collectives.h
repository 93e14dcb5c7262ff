// What a collective operation does once all ranks have posted their buffers in one address space.
#pragma once

#include <vector>

#include "longhaul/comm/communicator.h"

namespace longhaul::comm {

// One rank's share of an operation.
struct Posted {
  ConstBuffer in;
  Buffer out;
  std::vector<int64_t> send_counts, receive_counts;
};

// `ranks` in rank order; `argument` is a ReduceOp, a root, or nothing. They check that the ranks agree on counts and
// types.
using CarryOut = void (*)(const std::vector<Posted>& ranks, int argument);

void carry_all_reduce(const std::vector<Posted>& ranks, int op);
void carry_reduce_scatter(const std::vector<Posted>& ranks, int op);
void carry_all_gather(const std::vector<Posted>& ranks, int);
void carry_all_to_all(const std::vector<Posted>& ranks, int);
void carry_broadcast(const std::vector<Posted>& ranks, int root);
void carry_barrier(const std::vector<Posted>& ranks, int);

}  // namespace longhaul::comm
