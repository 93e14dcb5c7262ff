#include "comm/direct_communicator.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "comm/count_traffic.h"
#include "comm/reduce.h"
#include "longhaul/core/error.h"

namespace longhaul::comm {
namespace {

constexpr int64_t kSmall = 16 * 1024;  // bytes up to which an all-reduce takes one round
constexpr int64_t kPiece = 4 << 20;    // bytes that a reduction works on at a time: so the sums find them in the cache
constexpr int kMessageTag = 0;         // of send and receive; collective operations number theirs from 1
constexpr int kOperations = 1 << 20;   // after so many operations the numbers start again

void copy(void* to, const void* from, size_t bytes) {
  if (bytes > 0 && to != from) std::memmove(to, from, bytes);
}

// Room for parts of `bytes` from each rank, and pointers to all ranks' parts in order.
struct Parts {
  Parts(int ranks, size_t bytes)
      : bytes(bytes),
        room(std::make_unique_for_overwrite<char[]>(static_cast<size_t>(ranks) * bytes)),
        pointers(ranks) {
    for (int r = 0; r < ranks; ++r) pointers[r] = at(r);
  }
  char* at(int rank) { return room.get() + static_cast<size_t>(rank) * bytes; }
  size_t bytes;
  std::unique_ptr<char[]> room;
  std::vector<const void*> pointers;
};

// A run of elements, and who of n ranks sums which of them.
struct Piece {
  int64_t start = 0, count = 0;
  int64_t start_of(int rank, int n) const { return start + count / n * rank + std::min<int64_t>(rank, count % n); }
  int64_t count_of(int rank, int n) const { return start_of(rank + 1, n) - start_of(rank, n); }
};

std::vector<Piece> pieces_of(int64_t count, int64_t longest) {
  std::vector<Piece> pieces;
  for (int64_t start = 0; start < count; start += longest) pieces.push_back({start, std::min(longest, count - start)});
  return pieces;
}

}  // namespace

DirectCommunicator::DirectCommunicator(std::shared_ptr<Progress> progress, std::unique_ptr<Transport> transport,
                                       std::vector<int> members, int rank, std::string name,
                                       std::chrono::milliseconds timeout)
    : Communicator(rank, static_cast<int>(members.size()), std::move(name)),
      progress_(std::move(progress)),
      transport_(std::move(transport)),
      members_(std::move(members)),
      timeout_(timeout) {}

std::shared_ptr<Operation> DirectCommunicator::operation(const char* kind) const {
  return std::make_shared<Operation>(fmt::format("{}: rank {}'s {}", name(), members_[rank()], kind));
}

int DirectCommunicator::next_tag() {
  return 1 + 2 * (operations_++ % kOperations);
}

void DirectCommunicator::send(Messages& messages, const char* data, size_t bytes, int to, int tag) {
  if (bytes > 0) messages.push_back({transport_->send(data, bytes, to, tag), members_[to]});
}

void DirectCommunicator::receive(Messages& messages, char* data, size_t bytes, int from, int tag) {
  if (bytes > 0) messages.push_back({transport_->receive(data, bytes, from, tag), members_[from]});
}

Work DirectCommunicator::all_reduce_small(Buffer data, ReduceOp op) {
  auto all = operation("all-reduce");
  const size_t bytes = static_cast<size_t>(bytes_of(data));
  const auto parts = std::make_shared<Parts>(size(), bytes);
  const int tag = next_tag();
  all->then([=, this](Messages& messages) {
    for (int r = 0; r < size(); ++r) {
      if (r == rank()) continue;
      receive(messages, parts->at(r), bytes, r, tag);
      send(messages, static_cast<const char*>(data.data), bytes, r, tag);
    }
  });
  all->then([=, this](Messages&) {
    parts->pointers[rank()] = data.data;
    reduce(parts->pointers, data.data, data.count, data.type, op);
  });
  return start(std::move(all));
}

Work DirectCommunicator::all_reduce(Buffer data, ReduceOp op) {
  count_all_reduce(traffic_, data, size());
  if (bytes_of(data) <= kSmall) return all_reduce_small(data, op);
  auto all = operation("all-reduce");
  const int n = size();
  const size_t width = size_of(data.type);
  const auto at = [data, width](int64_t element) {
    return static_cast<char*>(data.data) + static_cast<size_t>(element) * width;
  };
  const auto pieces = pieces_of(data.count, kPiece / static_cast<int64_t>(width));
  const auto parts = std::make_shared<Parts>(n, static_cast<size_t>(pieces[0].count_of(0, n)) * width);
  const int tag = next_tag();
  const auto bytes_for = [n, width](Piece piece, int r) { return static_cast<size_t>(piece.count_of(r, n)) * width; };
  // Everybody's elements for this rank to sum come, and this rank's go to those who sum them.
  const auto collect = [=, this](Messages& messages, Piece piece) {
    for (int r = 0; r < n; ++r) {
      if (r == rank()) continue;
      receive(messages, parts->at(r), bytes_for(piece, rank()), r, tag);
      send(messages, at(piece.start_of(r, n)), bytes_for(piece, r), r, tag);
    }
  };
  const auto hand_out = [=, this](Messages& messages, Piece piece) {
    char* const mine = at(piece.start_of(rank(), n));
    parts->pointers[rank()] = mine;
    reduce(parts->pointers, mine, piece.count_of(rank(), n), data.type, op);
    for (int r = 0; r < n; ++r) {
      if (r == rank()) continue;
      receive(messages, at(piece.start_of(r, n)), bytes_for(piece, r), r, tag + 1);
      send(messages, mine, bytes_for(piece, rank()), r, tag + 1);
    }
  };
  all->then([collect, first = pieces[0]](Messages& messages) { collect(messages, first); });
  for (size_t k = 0; k < pieces.size(); ++k) {
    const Piece piece = pieces[k], next = k + 1 < pieces.size() ? pieces[k + 1] : Piece();
    all->then([collect, hand_out, piece, next](Messages& messages) {
      hand_out(messages, piece);
      if (next.count > 0) collect(messages, next);  // the room is free again
    });
  }
  return start(std::move(all));
}

Work DirectCommunicator::reduce_scatter(ConstBuffer in, Buffer out, ReduceOp op) {
  LONGHAUL_CHECK(in.count == out.count * size() && in.type == out.type, "reduce-scatter of {} elements into {} × {}",
                 in.count, size(), out.count);
  count_reduce_scatter(traffic_, in, size());
  auto scatter = operation("reduce-scatter");
  const size_t width = size_of(in.type);
  const auto at = [=](int r, Piece piece) {
    return static_cast<const char*>(in.data) + static_cast<size_t>(r * out.count + piece.start) * width;
  };
  const auto pieces = pieces_of(out.count, std::max<int64_t>(1, kPiece / size() / static_cast<int64_t>(width)));
  if (pieces.empty()) return {};
  const auto parts = std::make_shared<Parts>(size(), static_cast<size_t>(pieces[0].count) * width);
  const int tag = next_tag();
  const auto collect = [=, this](Messages& messages, Piece piece) {
    const size_t bytes = static_cast<size_t>(piece.count) * width;
    for (int r = 0; r < size(); ++r) {
      if (r == rank()) continue;
      receive(messages, parts->at(r), bytes, r, tag);
      send(messages, at(r, piece), bytes, r, tag);
    }
  };
  scatter->then([collect, first = pieces[0]](Messages& messages) { collect(messages, first); });
  for (size_t k = 0; k < pieces.size(); ++k) {
    const Piece piece = pieces[k], next = k + 1 < pieces.size() ? pieces[k + 1] : Piece();
    scatter->then([collect, at, parts, out, op, width, piece, next, this](Messages& messages) {
      parts->pointers[rank()] = at(rank(), piece);
      reduce(parts->pointers, static_cast<char*>(out.data) + static_cast<size_t>(piece.start) * width, piece.count,
             out.type, op);
      if (next.count > 0) collect(messages, next);
    });
  }
  return start(std::move(scatter));
}

Work DirectCommunicator::gather(ConstBuffer in, Buffer out, const char* kind) {
  LONGHAUL_CHECK(out.count == in.count * size() && in.type == out.type, "all-gather of {} × {} elements into {}",
                 size(), in.count, out.count);
  auto all = operation(kind);
  const size_t bytes = static_cast<size_t>(bytes_of(in));
  char* const to = static_cast<char*>(out.data);
  const int tag = next_tag();
  all->then([=, this](Messages& messages) {
    copy(to + static_cast<size_t>(rank()) * bytes, in.data, bytes);
    for (int r = 0; r < size(); ++r) {
      if (r == rank()) continue;
      receive(messages, to + static_cast<size_t>(r) * bytes, bytes, r, tag);
      send(messages, static_cast<const char*>(in.data), bytes, r, tag);
    }
  });
  return start(std::move(all));
}

Work DirectCommunicator::all_gather(ConstBuffer in, Buffer out) {
  count_all_gather(traffic_, out, size());
  return gather(in, out, "all-gather");
}

Work DirectCommunicator::all_to_all(ConstBuffer in, std::span<const int64_t> send_counts, Buffer out,
                                    std::span<const int64_t> receive_counts) {
  LONGHAUL_CHECK(std::ssize(send_counts) == size() && std::ssize(receive_counts) == size(),
                 "all-to-all with {} and {} counts for {} ranks", send_counts.size(), receive_counts.size(), size());
  count_all_to_all(traffic_, in, send_counts, rank());
  auto all = operation("all-to-all");
  const int tag = next_tag();
  all->then([=, this, sends = std::vector(send_counts.begin(), send_counts.end()),
             receives = std::vector(receive_counts.begin(), receive_counts.end())](Messages& messages) {
    const size_t width = size_of(in.type);
    const auto* from = static_cast<const char*>(in.data);
    auto* to = static_cast<char*>(out.data);
    const char* mine = nullptr;
    char* mine_to = nullptr;
    for (int r = 0; r < size(); ++r) {
      const size_t sent = static_cast<size_t>(sends[r]) * width, received = static_cast<size_t>(receives[r]) * width;
      if (r == rank()) {
        mine = from;
        mine_to = to;
      } else {
        receive(messages, to, received, r, tag);
        send(messages, from, sent, r, tag);
      }
      from += sent;
      to += received;
    }
    copy(mine_to, mine, static_cast<size_t>(sends[rank()]) * width);
  });
  return start(std::move(all));
}

Work DirectCommunicator::broadcast(Buffer data, int root) {
  count_broadcast(traffic_, data, size());
  auto all = operation("broadcast");
  const int tag = next_tag();
  all->then([=, this](Messages& messages) {
    char* const bytes = static_cast<char*>(data.data);
    if (rank() != root) return receive(messages, bytes, static_cast<size_t>(bytes_of(data)), root, tag);
    for (int r = 0; r < size(); ++r) {
      if (r != root) send(messages, bytes, static_cast<size_t>(bytes_of(data)), r, tag);
    }
  });
  return start(std::move(all));
}

Work DirectCommunicator::send(ConstBuffer data, int to) {
  count_send(traffic_, data);
  auto one = operation("send");
  one->then([=, this](Messages& messages) {
    send(messages, static_cast<const char*>(data.data), static_cast<size_t>(bytes_of(data)), to, kMessageTag);
  });
  return start(std::move(one));
}

Work DirectCommunicator::receive(Buffer data, int from) {
  auto one = operation("receive");
  one->then([=, this](Messages& messages) {
    receive(messages, static_cast<char*>(data.data), static_cast<size_t>(bytes_of(data)), from, kMessageTag);
  });
  return start(std::move(one));
}

void DirectCommunicator::barrier() {
  const uint8_t here = 1;
  std::vector<uint8_t> all(size());
  gather({&here, 1, DataType::u8}, {all.data(), size(), DataType::u8}, "barrier").wait();
}

std::unique_ptr<Communicator> DirectCommunicator::split(int colour, const std::string& name) {
  const int32_t mine = colour;
  std::vector<int32_t> colours(size());
  gather({&mine, 1, DataType::i32}, {colours.data(), size(), DataType::i32}, "split").wait();
  const int number = splits_++;
  if (colour < 0) return nullptr;
  std::vector<int> members, members_in_job;
  int place = 0;
  for (int r = 0; r < size(); ++r) {
    if (colours[r] != colour) continue;
    if (r == rank()) place = static_cast<int>(members.size());
    members.push_back(r);
    members_in_job.push_back(members_[r]);
  }
  return std::make_unique<DirectCommunicator>(progress_, transport_->subgroup(members, number),
                                              std::move(members_in_job), place, name, timeout_);
}

void DirectCommunicator::abort(const std::string& cause, int exit_code) {
  transport_->abort(members_[rank()], cause, exit_code);
}

}  // namespace longhaul::comm
