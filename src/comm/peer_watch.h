// Ends this process when another rank has gone and nobody here takes notice: the calling thread is stuck outside of the
// communication layer, and no launcher kills it.
#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace longhaul::comm {

class PeerWatch {
 public:
  // `connections`: sockets, which outlive this; those below 0 are none. Once one of them has been closed by its peer
  // for ten seconds, and this still lives, `cause` is asked why, and the process ends with that on standard error and
  // exit code 1. A thread of its own.
  PeerWatch(std::vector<int> connections, std::function<std::string()> cause);
  ~PeerWatch();
  PeerWatch(const PeerWatch&) = delete;
  PeerWatch& operator=(const PeerWatch&) = delete;

 private:
  void run();

  const std::vector<int> connections_;
  const std::function<std::string()> cause_;
  int stop_;  // an eventfd
  std::thread thread_;
};

}  // namespace longhaul::comm
