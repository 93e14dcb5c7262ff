#include "comm/tcp_transport.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "comm/peer_watch.h"
#include "longhaul/comm/error.h"
#include "longhaul/comm/failure_note.h"
#include "longhaul/core/log.h"

namespace longhaul::comm {
namespace {

constexpr int32_t kAbortTag = -1;  // the message is the cause of a failure

struct Header {
  uint64_t group = 0;
  int32_t tag = 0, rank = 0;  // rank: the sender's in the job
  uint64_t bytes = 0;
};

using Key = std::pair<uint64_t, int32_t>;  // group and tag

// Messages of each key in order. A key stays only while it has some: every operation brings a new one.
template <typename Message>
class Queues {
 public:
  void push(Key key, Message message) { queues_[key].push_back(std::move(message)); }
  std::optional<Message> pop(Key key) {
    const auto found = queues_.find(key);
    if (found == queues_.end()) return std::nullopt;
    Message first = std::move(found->second.front());
    found->second.pop_front();
    if (found->second.empty()) queues_.erase(found);
    return first;
  }
  void remove(const Message& message) {
    for (auto& [key, queue] : queues_) std::erase(queue, message);
    std::erase_if(queues_, [](const auto& entry) { return entry.second.empty(); });
  }

 private:
  std::map<Key, std::deque<Message>> queues_;
};

struct Outgoing {
  Header header;
  const char* data = nullptr;
  size_t sent = 0;  // bytes of header and data together
  bool done = false;
  std::vector<char> kept;  // a copy of the data where they may not be read any more
};

struct Incoming {
  char* data = nullptr;
  size_t bytes = 0;
  bool done = false;
};

// A message that came before it was asked for, or the one that is coming.
struct Arrival {
  Header header;
  std::vector<char> room;  // unless `wanted`
  std::shared_ptr<Incoming> wanted;
  size_t got_header = 0, got = 0;
};

struct Peer {
  Socket socket;
  bool gone = false;
  std::deque<std::shared_ptr<Outgoing>> outgoing;
  Queues<std::shared_ptr<Incoming>> wanted;
  Queues<std::vector<char>> early;  // came before they were asked for
  Arrival arriving;
};

struct Failure {
  int rank = 0;
  std::string cause;
  std::string text() const { return fmt::format("rank {} failed: {}", rank, cause); }
};

// All connections of this rank; groups share it.
class Mesh {
 public:
  Mesh(std::vector<Socket> sockets, int rank) : rank_(rank), peers_(sockets.size()) {
    std::vector<int> connections;
    for (size_t r = 0; r < sockets.size(); ++r) {
      peers_[r].socket = std::move(sockets[r]);
      connections.push_back(static_cast<int>(r) == rank ? -1 : peers_[r].socket.descriptor());
    }
    watch_.emplace(std::move(connections), [this] { return why_gone(); });
  }

  int rank() const { return rank_; }

  void receive(int from, Key key, const std::shared_ptr<Incoming>& incoming) {
    const std::lock_guard lock(mutex_);
    Peer& p = peer(from);
    if (const auto early = p.early.pop(key)) {
      finish(*incoming, early->data(), early->size());
    } else {
      p.wanted.push(key, incoming);
    }
  }

  void send(int to, const std::shared_ptr<Outgoing>& outgoing) {
    const std::lock_guard lock(mutex_);
    Peer& p = peer(to);
    if (to != rank_) {
      p.outgoing.push_back(outgoing);
      return;
    }
    deliver(p, {outgoing->header.group, outgoing->header.tag},
            {outgoing->data, outgoing->data + outgoing->header.bytes});
    outgoing->done = true;
  }

  // A message is given up: its buffer may not be touched any more.
  void forget(int to, const std::shared_ptr<Outgoing>& outgoing) {
    const std::lock_guard lock(mutex_);
    if (outgoing->done) return;
    if (outgoing->sent == 0) {
      std::erase(peer(to).outgoing, outgoing);
    } else {  // the peer has its header and counts on the rest
      outgoing->kept.assign(outgoing->data, outgoing->data + outgoing->header.bytes);
      outgoing->data = outgoing->kept.data();
    }
  }
  void forget(int from, const std::shared_ptr<Incoming>& incoming) {
    const std::lock_guard lock(mutex_);
    if (incoming->done) return;
    Peer& p = peer(from);
    p.wanted.remove(incoming);
    if (p.arriving.wanted != incoming) return;
    p.arriving.room.assign(incoming->data, incoming->data + incoming->bytes);
    p.arriving.wanted = nullptr;
  }

  // Whether `message`, from or to `peer`, is done, after writing and reading what goes without waiting.
  template <typename Message>
  bool done(const Message& message, int other) {
    const std::lock_guard lock(mutex_);
    if (!message.done) {
      progress();
      if (failure_) throw CommunicationError("{}", failure_->text());
    }
    if (!message.done && peer(other).gone) throw CommunicationError("{}", gone(other));
    return message.done;
  }

  void abort(int rank, const std::string& own_cause) {
    const std::lock_guard lock(mutex_);
    // Who fails because another did passes that one's words on.
    const auto [first, cause] = failure_.value_or(Failure{rank, own_cause});
    const Deadline deadline = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    const Header header{0, kAbortTag, first, cause.size()};
    for (Peer& p : peers_) {
      if (!p.socket || p.gone) continue;
      // What is half written must end first, or the peer would take the header for its rest.
      while (!p.outgoing.empty() && p.outgoing.front()->sent > 0 && !p.gone &&
             std::chrono::steady_clock::now() < deadline)
        write(p, 1);
      if (p.socket.send_all(&header, sizeof header, deadline)) p.socket.send_all(cause.data(), cause.size(), deadline);
    }
  }

 private:
  Peer& peer(int rank) { return peers_[static_cast<size_t>(rank)]; }

  void progress() {
    for (size_t r = 0; r < peers_.size(); ++r) {
      if (static_cast<int>(r) == rank_ || peers_[r].gone) continue;
      write(peers_[r]);
      read(peers_[r]);
    }
  }

  std::string gone(int rank) const {
    return fmt::format("rank {} is gone: its connection to rank {} was closed", rank, rank_);
  }

  // Once some rank has left: its last words, or that it is gone.
  std::string why_gone() {
    const std::lock_guard lock(mutex_);
    progress();
    if (failure_) return failure_->text();
    const auto found = std::find_if(peers_.begin(), peers_.end(), [](const Peer& p) { return p.gone; });
    return gone(static_cast<int>(found - peers_.begin()));
  }

  static void finish(Incoming& incoming, const char* data, size_t bytes) {
    LONGHAUL_CHECK(bytes == incoming.bytes, "{} bytes came where {} are expected", bytes, incoming.bytes);
    if (data != incoming.data) std::memcpy(incoming.data, data, bytes);
    incoming.done = true;
  }

  // At most `messages` of them.
  static void write(Peer& p, size_t messages = SIZE_MAX) {
    while (!p.outgoing.empty() && messages > 0) {
      Outgoing& o = *p.outgoing.front();
      const size_t whole = sizeof(Header) + o.header.bytes;
      const bool in_header = o.sent < sizeof(Header);
      const char* from =
          in_header ? reinterpret_cast<const char*>(&o.header) + o.sent : o.data + (o.sent - sizeof(Header));
      const ssize_t sent =
          ::send(p.socket.descriptor(), from, (in_header ? sizeof(Header) : whole) - o.sent, MSG_NOSIGNAL);
      if (sent < 0) {
        p.gone = errno != EAGAIN && errno != EINTR;
        return;
      }
      o.sent += static_cast<size_t>(sent);
      if (o.sent < whole) continue;
      o.done = true;
      p.outgoing.pop_front();
      --messages;
    }
  }

  void read(Peer& p) {
    while (true) {
      Arrival& a = p.arriving;
      const bool in_header = a.got_header < sizeof(Header);
      char* to = in_header ? reinterpret_cast<char*>(&a.header) + a.got_header
                           : (a.wanted ? a.wanted->data : a.room.data()) + a.got;
      const size_t left = in_header ? sizeof(Header) - a.got_header : a.header.bytes - a.got;
      if (left > 0) {
        const ssize_t got = ::recv(p.socket.descriptor(), to, left, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (got <= 0) {
          p.gone = true;
          return;
        }
        (in_header ? a.got_header : a.got) += static_cast<size_t>(got);
        if (static_cast<size_t>(got) < left) continue;
      }
      if (in_header) {
        begin(p);
      } else {
        end(p);
      }
    }
  }

  // The header is there: straight into the buffer of who asked for the message, if it was asked for.
  static void begin(Peer& p) {
    Arrival& a = p.arriving;
    a.wanted = p.wanted.pop({a.header.group, a.header.tag}).value_or(nullptr);
    if (a.wanted) {
      LONGHAUL_CHECK(a.header.bytes == a.wanted->bytes, "{} bytes came where {} are expected", a.header.bytes,
                     a.wanted->bytes);
    } else {
      a.room.resize(a.header.bytes);
    }
  }

  void end(Peer& p) {
    Arrival a = std::exchange(p.arriving, {});
    const Key key(a.header.group, a.header.tag);
    if (a.header.tag == kAbortTag) {
      if (!failure_) failure_ = {a.header.rank, std::string(a.room.begin(), a.room.end())};
    } else if (a.wanted) {
      a.wanted->done = true;
    } else {
      deliver(p, key, std::move(a.room));
    }
  }

  static void deliver(Peer& p, Key key, std::vector<char> message) {
    if (const auto wanted = p.wanted.pop(key)) {
      finish(**wanted, message.data(), message.size());
    } else {
      p.early.push(key, std::move(message));
    }
  }

  int rank_;
  std::mutex mutex_;  // the watch looks in from its own thread
  std::vector<Peer> peers_;
  std::optional<Failure> failure_;  // the first that this rank was told of
  std::optional<PeerWatch> watch_;
};

// Either a send or a receive.
template <typename Message>
class TcpTransfer final : public Transfer {
 public:
  TcpTransfer(std::shared_ptr<Mesh> mesh, std::shared_ptr<Message> message, int peer)
      : mesh_(std::move(mesh)), message_(std::move(message)), peer_(peer) {}
  ~TcpTransfer() override { mesh_->forget(peer_, message_); }
  bool done() override { return mesh_->done(*message_, peer_); }

 private:
  std::shared_ptr<Mesh> mesh_;
  std::shared_ptr<Message> message_;
  int peer_;
};

class TcpTransport final : public Transport {
 public:
  TcpTransport(std::shared_ptr<Mesh> mesh, uint64_t group, std::vector<int> members)
      : mesh_(std::move(mesh)), group_(group), members_(std::move(members)) {}

  std::unique_ptr<Transfer> send(const void* data, size_t bytes, int to, int tag) override {
    const int peer = members_[static_cast<size_t>(to)];
    auto message = std::make_shared<Outgoing>(
        Outgoing{{group_, tag, mesh_->rank(), bytes}, static_cast<const char*>(data), 0, false, {}});
    mesh_->send(peer, message);
    return std::make_unique<TcpTransfer<Outgoing>>(mesh_, std::move(message), peer);
  }
  std::unique_ptr<Transfer> receive(void* data, size_t bytes, int from, int tag) override {
    const int peer = members_[static_cast<size_t>(from)];
    auto message = std::make_shared<Incoming>(Incoming{static_cast<char*>(data), bytes, false});
    mesh_->receive(peer, {group_, tag}, message);
    return std::make_unique<TcpTransfer<Incoming>>(mesh_, std::move(message), peer);
  }

  std::unique_ptr<Transport> subgroup(const std::vector<int>& members, int number) override {
    std::vector<int> in_job;
    for (const int member : members) in_job.push_back(members_[static_cast<size_t>(member)]);
    // Members name their group alike without talking: by what it comes from.
    uint64_t name = group_;
    for (const uint64_t part : {static_cast<uint64_t>(number) + 1, static_cast<uint64_t>(in_job[0]) + 1})
      name = (name ^ part) * 0x9e3779b97f4a7c15ULL + (name >> 29);
    return std::make_unique<TcpTransport>(mesh_, name, std::move(in_job));
  }

  void abort(int rank, const std::string& cause, int exit_code) override {
    leave_failure_note({rank, exit_code, cause});
    mesh_->abort(rank, cause);
  }

 private:
  std::shared_ptr<Mesh> mesh_;
  uint64_t group_;
  std::vector<int> members_;
};

}  // namespace

std::unique_ptr<Transport> tcp_transport(std::vector<Socket> sockets, int rank) {
  std::vector<int> members(sockets.size());
  for (size_t r = 0; r < members.size(); ++r) members[r] = static_cast<int>(r);
  return std::make_unique<TcpTransport>(std::make_shared<Mesh>(std::move(sockets), rank), 1, std::move(members));
}

}  // namespace longhaul::comm
