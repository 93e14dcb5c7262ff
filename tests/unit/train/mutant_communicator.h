// A communicator that lies once: it passes everything on to another, but for one call, which it gets wrong in the way
// that a forgotten or doubled operation in a layer would. Groups split off it lie in the same way.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "longhaul/comm/communicator.h"

namespace longhaul {

struct Mutation {
  std::string group;      // by name: "tensor", "data", …
  std::string operation;  // "all_reduce", "reduce_scatter", "all_gather", "send"
  int64_t call = 0;       // which of the group's calls of that operation
  // drop: as if the call were not there; lose: what other ranks give is 0.
  enum class How { drop, twice, rotate, lose } how = How::drop;
  // Restricts `call` to those of a type, where more than one is in use.
  comm::DataType type = comm::DataType::f32;
};

// `inner` outlives it; `mutation` too. `hit` becomes true once the lie was told.
std::unique_ptr<comm::Communicator> make_mutant(comm::Communicator& inner, const Mutation& mutation,
                                                std::atomic<bool>& hit);

}  // namespace longhaul
