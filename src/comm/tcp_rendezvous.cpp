#include "comm/tcp_rendezvous.h"

#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>

#include "comm/seconds.h"
#include "longhaul/comm/error.h"
#include "longhaul/core/log.h"

namespace longhaul::comm {
namespace {

using Clock = std::chrono::steady_clock;
constexpr uint64_t kMagic = 0x6c6f6e676861756cULL;
constexpr std::chrono::seconds kSilence{10};  // before a rank says whom it waits for
constexpr std::chrono::seconds kGrace{10};    // that the others give rank 0 for its word on who is missing

// What a rank says of itself, and the list's entries. All ranks are the same program on the same kind of machine.
struct Hello {
  uint64_t magic = kMagic;
  int32_t rank = 0, size = 0, port = 0;
  char host[256] = "";
  char address[64] = "";  // filled by rank 0, as it sees it
};

struct Verdict {
  int32_t complete = 0;
  char why_not[2048] = "";
};

void put(char* to, size_t room, const std::string& text) {
  std::snprintf(to, room, "%s", text.c_str());
}

std::string missing_ranks(const std::vector<Hello>& hellos, const MeetingPlace& place) {
  std::vector<int> missing;
  std::vector<std::string> present;
  for (int r = 0; r < place.size; ++r) {
    if (hellos[r].size == 0) {
      missing.push_back(r);
    } else {
      present.push_back(fmt::format("rank {} on {}", r, hellos[r].host));
    }
  }
  return fmt::format("after {:.0f} s rank{} {} of {} had not come to {}:{}. There were: {}.", seconds(place.timeout),
                     missing.size() == 1 ? "" : "s", fmt::join(missing, ", "), place.size, place.host, place.port,
                     fmt::join(present, ", "));
}

// The end of a message about waiting.
std::string unknown_name(const std::string& host) {
  return is_known(host) ? "" : fmt::format(" This machine knows no {}: is MASTER_ADDR right?", host);
}

std::vector<Socket> gather_all(const MeetingPlace& place, const Hello& mine, Deadline deadline) {
  const Socket listener = listen_on(place.port);
  std::vector<Socket> sockets(place.size);
  std::vector<Hello> hellos(place.size);
  hellos[0] = mine;
  std::string problem;
  Deadline notice = Clock::now() + kSilence;
  for (int present = 1; present < place.size && problem.empty();) {
    Socket socket = accept_from(listener, std::min(deadline, notice));
    Hello hello;
    if (!socket && notice < deadline) {
      log::warning_here("rank 0 on {} still waits for {} of {} ranks to come to {}:{}.{}", mine.host,
                        place.size - present, place.size, place.host, place.port, unknown_name(place.host));
      notice = deadline;
    } else if (!socket) {
      problem = missing_ranks(hellos, place);
    } else if (!socket.receive_all(&hello, sizeof hello, std::min(deadline, Clock::now() + kGrace)) ||
               hello.magic != kMagic) {
      continue;  // a stranger
    } else if (hello.size != place.size || hello.rank <= 0 || hello.rank >= place.size || sockets[hello.rank]) {
      problem = fmt::format("a process on {} came as rank {} of {}, but there are {} ranks and each comes once.",
                            hello.host, hello.rank, hello.size, place.size);
    } else {
      put(hello.address, sizeof hello.address, socket.peer_address());
      hellos[hello.rank] = hello;
      sockets[hello.rank] = std::move(socket);
      ++present;
    }
  }
  Verdict verdict{problem.empty(), ""};
  put(verdict.why_not, sizeof verdict.why_not, problem);
  for (const Socket& socket : sockets) {
    if (!socket) continue;
    socket.send_all(&verdict, sizeof verdict, Clock::now() + kGrace);
    if (problem.empty()) socket.send_all(hellos.data(), hellos.size() * sizeof(Hello), Clock::now() + kGrace);
  }
  if (!problem.empty()) throw CommunicationError("{}", problem);
  return sockets;
}

std::vector<Socket> join(const MeetingPlace& place, Hello mine, Deadline deadline) {
  const Socket listener = listen_on(0);
  mine.port = listener.local_port();
  std::vector<Socket> sockets(place.size);
  sockets[0] = connect_to(place.host, place.port, std::min(deadline, Clock::now() + kSilence));
  if (!sockets[0] && Clock::now() < deadline) {
    log::warning_here(
        "rank {} on {} has not found rank 0 at {}:{} yet, and goes on trying: does rank 0 run there, and can MASTER_ADDR be "
        "reached from here?{}",
        place.rank, mine.host, place.host, place.port, unknown_name(place.host));
    sockets[0] = connect_to(place.host, place.port, deadline);
  }
  if (!sockets[0]) {
    throw CommunicationError(
        "rank {} on {} found no rank 0 at {}:{} within {:.0f} s. Check that rank 0 runs and that "
        "MASTER_ADDR and MASTER_PORT can be reached from here.",
        place.rank, mine.host, place.host, place.port, seconds(place.timeout));
  }
  const Deadline last = deadline + kGrace;
  Verdict verdict;
  std::vector<Hello> hellos(place.size);
  if (!sockets[0].send_all(&mine, sizeof mine, last) || !sockets[0].receive_all(&verdict, sizeof verdict, last))
    throw CommunicationError("rank 0 at {}:{} ended before all ranks had come", place.host, place.port);
  if (!verdict.complete) throw CommunicationError("{}", static_cast<const char*>(verdict.why_not));
  if (!sockets[0].receive_all(hellos.data(), hellos.size() * sizeof(Hello), last))
    throw CommunicationError("rank 0 at {}:{} ended before it had told where the ranks are", place.host, place.port);

  for (int r = 1; r < place.rank; ++r) {
    const Hello& peer = hellos[r];
    // A rank beside rank 0 may have come over the loopback, which leads nowhere from another machine.
    const bool loopback = std::string(peer.address).starts_with("127.") && std::string(peer.host) != mine.host;
    sockets[r] = connect_to(loopback ? peer.host : peer.address, peer.port, last);
    const int32_t rank = place.rank;
    if (!sockets[r] || !sockets[r].send_all(&rank, sizeof rank, last))
      throw CommunicationError("rank {} on {} cannot reach rank {} on {}", place.rank, mine.host, r, peer.host);
  }
  for (int awaited = place.size - 1 - place.rank; awaited > 0; --awaited) {
    Socket socket = accept_from(listener, last);
    int32_t rank = 0;
    if (!socket || !socket.receive_all(&rank, sizeof rank, last) || rank <= place.rank || rank >= place.size)
      throw CommunicationError("rank {} on {} waited in vain for a connection from {} higher ranks", place.rank,
                               mine.host, awaited);
    sockets[rank] = std::move(socket);
  }
  return sockets;
}

}  // namespace

std::vector<Socket> meet(const MeetingPlace& place) {
  Hello mine;
  mine.rank = place.rank;
  mine.size = place.size;
  ::gethostname(mine.host, sizeof mine.host - 1);
  const Deadline deadline = Clock::now() + place.timeout;
  return place.rank == 0 ? gather_all(place, mine, deadline) : join(place, mine, deadline);
}

}  // namespace longhaul::comm
