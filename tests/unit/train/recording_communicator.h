// A communicator that passes everything on to another, and tells of each call before it is made. Groups split off it do
// the same.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "longhaul/comm/communicator.h"

namespace longhaul {

struct RecordedCall {
  std::string group;      // by name: "tensor", "data", …
  std::string operation;  // "all_reduce", "reduce_scatter", "all_gather", "send", …
  comm::DataType type = comm::DataType::f32;
  bool operator==(const RecordedCall&) const = default;
};

// When a sum or a gathering reads and writes its buffers: thread ranks do it when the last of them waits, a network may
// do it at once.
enum class Exchange { late, at_once };

// What the groups give for registered memory; empty: what `inner` gives.
using RegisteredMemory = std::function<std::shared_ptr<void>(size_t bytes)>;

// `inner` outlives it. `on_call` runs on the rank's thread.
std::unique_ptr<comm::Communicator> make_recorder(comm::Communicator& inner,
                                                  std::function<void(const RecordedCall& call)> on_call,
                                                  Exchange exchange = Exchange::late, RegisteredMemory memory = {});

}  // namespace longhaul
