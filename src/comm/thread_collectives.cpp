#include "comm/thread_collectives.h"

#include <cstring>

#include "comm/reduce.h"
#include "longhaul/core/error.h"

namespace longhaul::comm {
namespace {

void copy(void* to, const void* from, size_t bytes) {
  if (bytes > 0 && to != from) std::memmove(to, from, bytes);
}

size_t bytes_of(int64_t count, DataType type) {
  return static_cast<size_t>(count) * size_of(type);
}

void check_agreement(const std::vector<Posted>& ranks) {
  for (size_t r = 1; r < ranks.size(); ++r) {
    const Buffer& first = ranks[0].out;
    const Buffer& out = ranks[r].out;
    LONGHAUL_CHECK(out.count == first.count && out.type == first.type,
                   "rank 0 brings {} elements of {}, rank {} {} of {}", first.count, name_of(first.type), r, out.count,
                   name_of(out.type));
  }
}

}  // namespace

void carry_all_reduce(const std::vector<Posted>& ranks, int op) {
  check_agreement(ranks);
  std::vector<const void*> inputs;
  for (const Posted& p : ranks) inputs.push_back(p.out.data);
  const Buffer& first = ranks[0].out;
  reduce(inputs, first.data, first.count, first.type, static_cast<ReduceOp>(op));
  for (const Posted& p : ranks) copy(p.out.data, first.data, bytes_of(first.count, first.type));
}

void carry_reduce_scatter(const std::vector<Posted>& ranks, int op) {
  check_agreement(ranks);
  for (size_t r = 0; r < ranks.size(); ++r) {
    const Buffer& out = ranks[r].out;
    std::vector<const void*> inputs;
    for (const Posted& p : ranks)
      inputs.push_back(static_cast<const char*>(p.in.data) + r * bytes_of(out.count, out.type));
    reduce(inputs, out.data, out.count, out.type, static_cast<ReduceOp>(op));
  }
}

void carry_all_gather(const std::vector<Posted>& ranks, int) {
  check_agreement(ranks);
  for (const Posted& to : ranks) {
    for (size_t r = 0; r < ranks.size(); ++r) {
      const size_t bytes = bytes_of(ranks[r].in.count, ranks[r].in.type);
      copy(static_cast<char*>(to.out.data) + r * bytes, ranks[r].in.data, bytes);
    }
  }
}

void carry_all_to_all(const std::vector<Posted>& ranks, int) {
  for (size_t from = 0; from < ranks.size(); ++from) {
    int64_t sent = 0;
    for (size_t to = 0; to < ranks.size(); ++to) {
      const DataType type = ranks[from].in.type;
      const int64_t count = ranks[from].send_counts[to];
      int64_t place = 0;
      for (size_t r = 0; r < from; ++r) place += ranks[to].receive_counts[r];
      LONGHAUL_CHECK(count == ranks[to].receive_counts[from] && type == ranks[to].out.type,
                     "rank {} sends {} elements of {} to rank {}, which expects {} of {}", from, count, name_of(type),
                     to, ranks[to].receive_counts[from], name_of(ranks[to].out.type));
      copy(static_cast<char*>(ranks[to].out.data) + bytes_of(place, type),
           static_cast<const char*>(ranks[from].in.data) + bytes_of(sent, type), bytes_of(count, type));
      sent += count;
    }
  }
}

void carry_broadcast(const std::vector<Posted>& ranks, int root) {
  check_agreement(ranks);
  const Buffer& from = ranks[root].out;
  for (const Posted& p : ranks) copy(p.out.data, from.data, bytes_of(from.count, from.type));
}

void carry_barrier(const std::vector<Posted>&, int) {}

}  // namespace longhaul::comm
