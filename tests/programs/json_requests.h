// How a test program serves Python: a JSON list of requests on standard input, the JSON list of their results on
// standard output. A request that fails gives {"error": message}.
#pragma once

#include <fmt/format.h>

#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>

namespace longhaul {

template <typename CarryOut>
int serve_json_requests(CarryOut carry_out) {
  nlohmann::json results = nlohmann::json::array();
  for (const nlohmann::json& request : nlohmann::json::parse(std::cin)) {
    try {
      results.push_back(carry_out(request));
    } catch (const std::exception& error) {
      results.push_back({{"error", error.what()}});
    }
  }
  fmt::print("{}\n", results.dump());
  return 0;
}

}  // namespace longhaul
