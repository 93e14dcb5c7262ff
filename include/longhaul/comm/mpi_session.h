// MPI for as long as this object lives, and the communicator of all its ranks.
#pragma once

#include <cstddef>
#include <memory>

#include "longhaul/comm/communicator.h"

namespace longhaul::comm {

class MpiSession {
 public:
  // `launched`: as many ranks as the launcher has started, if it tells. Throws EnvironmentError when MPI cannot start
  // or knows of fewer, as where Open MPI does not understand the launcher and makes every process the only rank.
  explicit MpiSession(int launched = 1);
  // Ends MPI once all ranks have come here; after an error it does not wait for them.
  ~MpiSession();
  MpiSession(const MpiSession&) = delete;
  MpiSession& operator=(const MpiSession&) = delete;

  int rank() const;
  int size() const;

  // All ranks. It and the groups split from it must go before the session does. `message_limit`: longer messages travel
  // in pieces of so many bytes, as MPI counts with 32 bits.
  std::unique_ptr<Communicator> world(size_t message_limit = size_t{1} << 30) const;
};

}  // namespace longhaul::comm
