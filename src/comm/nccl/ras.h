// NCCL's own account of a job's state (RAS, NCCL 2.24 and later): every process that uses NCCL answers on a port of its
// machine, and knows of the others. When a job hangs it tells which ranks are behind, or gone.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace longhaul::comm {

struct RasAddress {
  std::string host = "127.0.0.1";
  int port = 28028;
};

// What NCCL_RAS_ADDR says ("host:port", "[::1]:28028"), else NCCL's default. Empty where NCCL_RAS_ENABLE=0 switches it
// off, or the address can't be read.
std::optional<RasAddress> ras_address();

// The report, as NCCL writes it for people. When nobody answers in time: what hindered it, in brackets.
std::string ras_report(const RasAddress& address, std::chrono::milliseconds timeout);

}  // namespace longhaul::comm
