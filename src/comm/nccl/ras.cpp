#include "comm/nccl/ras.h"

#include <fmt/format.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "comm/tcp_socket.h"

namespace longhaul::comm {
namespace {

constexpr std::string_view kQuestion = "verbose status\n";
constexpr size_t kLongest = 64 << 10;  // bytes of a report that go into a log

// Waits for `events`; false when the deadline passes first.
bool ready(const Socket& socket, short events, Deadline deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Deadline::clock::now()).count();
  pollfd wanted{socket.descriptor(), events, 0};
  return left > 0 && ::poll(&wanted, 1, static_cast<int>(left)) > 0;
}

std::string without(const std::string& cause) {
  return fmt::format("[NCCL's RAS gives no report: {}]", cause);
}

}  // namespace

std::optional<RasAddress> ras_address() {
  const char* const enabled = std::getenv("NCCL_RAS_ENABLE");
  if (enabled != nullptr && std::string_view(enabled) == "0") return std::nullopt;
  RasAddress address;
  const char* const given = std::getenv("NCCL_RAS_ADDR");
  if (given == nullptr) return address;
  const std::string text = given;
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  address.host = text.substr(0, colon);
  if (address.host.size() > 2 && address.host.front() == '[')
    address.host = address.host.substr(1, address.host.size() - 2);
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, address.port);
  if (error != std::errc() || stop != end) return std::nullopt;
  return address;
}

std::string ras_report(const RasAddress& address, std::chrono::milliseconds timeout) {
  const auto deadline = Deadline::clock::now() + timeout;
  addrinfo hints{}, *found = nullptr;
  hints.ai_socktype = SOCK_STREAM;
  if (::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found) != 0) {
    return without(fmt::format("there is no host {}", address.host));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  const Socket socket(::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return without(std::strerror(errno));
  if (::connect(socket.descriptor(), found->ai_addr, found->ai_addrlen) != 0 && errno != EINPROGRESS)
    return without(std::strerror(errno));
  if (!ready(socket, POLLOUT, deadline)) return without("no connection in time");
  int problem = 0;
  socklen_t length = sizeof problem;
  ::getsockopt(socket.descriptor(), SOL_SOCKET, SO_ERROR, &problem, &length);
  if (problem != 0) return without(std::strerror(problem));
  if (::send(socket.descriptor(), kQuestion.data(), kQuestion.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(kQuestion.size())) {
    return without(std::strerror(errno));
  }
  std::string report;
  char part[4096];
  while (report.size() < kLongest) {
    if (!ready(socket, POLLIN, deadline)) {
      report += without("it went silent");
      break;
    }
    const ssize_t got = ::recv(socket.descriptor(), part, sizeof part, 0);
    if (got <= 0) break;  // the end
    report.append(part, static_cast<size_t>(got));
  }
  return report;
}

}  // namespace longhaul::comm
