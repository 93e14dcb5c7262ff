// The formulas of longhaul/comm/traffic.h.
#pragma once

#include <span>

#include "longhaul/comm/communicator.h"

namespace longhaul::comm {

inline int64_t bytes_of(const ConstBuffer& buffer) {
  return buffer.count * static_cast<int64_t>(size_of(buffer.type));
}

inline void add(Traffic::Operation& operation, int64_t bytes) {
  ++operation.calls;
  operation.bytes += bytes;
}

inline void count_all_reduce(Traffic& t, const ConstBuffer& whole, int n) {
  add(t.all_reduce, 2 * (n - 1) * bytes_of(whole) / n);
}
inline void count_reduce_scatter(Traffic& t, const ConstBuffer& whole, int n) {
  add(t.reduce_scatter, (n - 1) * bytes_of(whole) / n);
}
inline void count_all_gather(Traffic& t, const ConstBuffer& whole, int n) {
  add(t.all_gather, (n - 1) * bytes_of(whole) / n);
}
inline void count_broadcast(Traffic& t, const ConstBuffer& whole, int n) {
  add(t.broadcast, (n - 1) * bytes_of(whole) / n);
}
inline void count_send(Traffic& t, const ConstBuffer& data) {
  add(t.send, bytes_of(data));
}
inline void count_all_to_all(Traffic& t, const ConstBuffer& in, std::span<const int64_t> counts, int rank) {
  int64_t elements = 0;
  for (size_t r = 0; r < counts.size(); ++r) elements += static_cast<int>(r) == rank ? 0 : counts[r];
  add(t.all_to_all, elements * static_cast<int64_t>(size_of(in.type)));
}

}  // namespace longhaul::comm
