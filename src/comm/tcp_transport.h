// Messages over one TCP connection between every two ranks, for ranks that no MPI has started.
#pragma once

#include <memory>
#include <vector>

#include "comm/tcp_socket.h"
#include "comm/transport.h"

namespace longhaul::comm {

// `sockets`: to all ranks of the job by rank, the own one empty; see meet.
std::unique_ptr<Transport> tcp_transport(std::vector<Socket> sockets, int rank);

}  // namespace longhaul::comm
