// TCP connections with deadlines.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

namespace longhaul::comm {

using Deadline = std::chrono::steady_clock::time_point;

class Socket {
 public:
  Socket() = default;
  explicit Socket(int descriptor) : descriptor_(descriptor) {}
  Socket(Socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  ~Socket();
  int descriptor() const { return descriptor_; }
  explicit operator bool() const { return descriptor_ >= 0; }

  // Whole messages. False when the deadline passes or the other side is gone.
  bool send_all(const void* data, size_t bytes, Deadline deadline) const;
  bool receive_all(void* data, size_t bytes, Deadline deadline) const;

  std::string peer_address() const;  // in digits
  int local_port() const;

 private:
  int descriptor_ = -1;
};

// On all addresses. Port 0: any that is free. Throws EnvironmentError.
Socket listen_on(int port);
// An empty socket when the deadline passes.
Socket accept_from(const Socket& listener, Deadline deadline);
// Whether the name, or the address in digits, is known to this machine.
bool is_known(const std::string& host);
// Tries until it succeeds; an empty socket when the deadline passes. Sockets never block (O_NONBLOCK).
Socket connect_to(const std::string& host, int port, Deadline deadline);

}  // namespace longhaul::comm
