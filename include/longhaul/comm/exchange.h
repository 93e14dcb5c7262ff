// Small host-side agreements between ranks, on top of a communicator over host memory. With null for a group there is
// one rank, and nothing is exchanged.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "longhaul/comm/communicator.h"

namespace longhaul::comm {

inline bool leads(const Communicator* ranks) {
  return ranks == nullptr || ranks->rank() == 0;
}

// Everybody's text, by rank.
std::vector<std::string> all_gather_text(Communicator* ranks, std::string_view text);
// Rank 0's.
std::string text_of_leader(Communicator* ranks, std::string_view text);
// Whether any rank says so.
bool any_of(Communicator* ranks, bool value);

// Runs `body` on each rank and waits for all. Where it throws on one, it throws on all: there its own error; on those
// that did not fail, or failed in the same words as the first that did, an AgreedFailure with that rank and its words.
void all_or_none(Communicator* ranks, const std::function<void()>& body);

}  // namespace longhaul::comm
