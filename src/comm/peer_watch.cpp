#include "comm/peer_watch.h"

#include <fmt/core.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "longhaul/core/error.h"

namespace longhaul::comm {
namespace {

constexpr std::chrono::milliseconds kGrace = std::chrono::seconds(10);

}  // namespace

PeerWatch::PeerWatch(std::vector<int> connections, std::function<std::string()> cause)
    : connections_(std::move(connections)), cause_(std::move(cause)), stop_(::eventfd(0, EFD_CLOEXEC)) {
  if (stop_ < 0) throw EnvironmentError("cannot watch the connections to the other ranks: {}", std::strerror(errno));
  thread_ = std::thread([this] { run(); });
}

PeerWatch::~PeerWatch() {
  const uint64_t one = 1;
  while (::write(stop_, &one, sizeof one) < 0 && errno == EINTR) {
  }
  thread_.join();
  ::close(stop_);
}

void PeerWatch::run() {
  std::vector<pollfd> polled{{stop_, POLLIN, 0}};
  for (const int connection : connections_) polled.push_back({connection, POLLRDHUP, 0});
  int ready = 0;
  do ready = ::poll(polled.data(), polled.size(), -1);
  while (ready < 0 && errno == EINTR);
  if (ready < 0) return;            // nobody is known to have left
  while (polled[0].revents == 0) {  // some peer has left
    ready = ::poll(polled.data(), 1, static_cast<int>(kGrace.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready != 0) return;
    fmt::print(stderr, "error: {}. This rank was busy elsewhere for {} s after that, and ends\n", cause_(),
               std::chrono::duration_cast<std::chrono::seconds>(kGrace).count());
    std::fflush(nullptr);
    std::_Exit(1);
  }
}

}  // namespace longhaul::comm
