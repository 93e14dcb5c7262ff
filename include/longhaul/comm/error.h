#pragma once

#include "longhaul/core/error.h"

namespace longhaul::comm {

// Another rank failed, died or did not come in time. The message names it and, where known, its cause.
class CommunicationError : public EnvironmentError {
 public:
  using EnvironmentError::EnvironmentError;
};

// A failure that all ranks have agreed on (all_or_none) and that another one reports: where all fail alike, the user
// reads it once.
class AgreedFailure : public CommunicationError {
 public:
  using CommunicationError::CommunicationError;
};

}  // namespace longhaul::comm
