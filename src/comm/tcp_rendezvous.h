// How ranks without MPI find each other: rank 0 listens at an address that all know, the others tell it where they can
// be reached, and once all are there it hands out the list. Then every two ranks hold a connection.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "comm/tcp_socket.h"

namespace longhaul::comm {

struct MeetingPlace {
  int rank = 0, size = 1;
  std::string host;  // of rank 0
  int port = 0;
  std::chrono::milliseconds timeout{};  // for all to come
};

// Connections to all ranks by rank; the own one is empty. When not all come in time, those who did throw a
// CommunicationError that names who is missing and who is there.
std::vector<Socket> meet(const MeetingPlace& place);

}  // namespace longhaul::comm
