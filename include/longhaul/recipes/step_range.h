#pragma once

#include <cstdint>
#include <string>

namespace longhaul {

// Optimiser steps first..last, both included, counted from 1.
struct StepRange {
  int64_t first = 0;
  int64_t last = 0;
};

// "10..12" or "10". UserError, which names `key`, for anything else.
StepRange parse_step_range(const std::string& key, const std::string& text);

}  // namespace longhaul
