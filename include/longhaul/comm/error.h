#pragma once

#include "longhaul/core/error.h"

namespace longhaul::comm {

// Another rank failed, died or did not come in time. The message names it and, where known, its cause.
class CommunicationError : public EnvironmentError {
 public:
  using EnvironmentError::EnvironmentError;
};

}  // namespace longhaul::comm
