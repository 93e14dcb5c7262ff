// Prints groups of a mesh. Each line of standard input is a JSON object such as
//   {"shape": {"tensor": 2, "data": 4}, "order": ["tensor", "context", "expert", "data", "pipeline"],
//    "groups": [["tensor"], ["data", "context"]]}
// and each line of output a list of these groups' lists of ranks, the embedding groups last.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "longhaul/comm/mesh.h"

namespace {

using namespace longhaul::comm;
using nlohmann::json;

Axis axis_named(const std::string& name) {
  for (const Axis axis : kAllAxes)
    if (name_of(axis) == name) return axis;
  throw std::runtime_error("no axis " + name);
}

MeshShape shape_of(const json& sizes) {
  return {sizes.value("tensor", 1), sizes.value("context", 1), sizes.value("expert", 1), sizes.value("data", 1),
          sizes.value("pipeline", 1)};
}

AxisSet set_of(const json& names) {
  AxisSet set{};
  for (const json& name : names) set = set | axis_named(name);
  return set;
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const json request = json::parse(line);
    AxisOrder order;
    for (size_t i = 0; i < order.size(); ++i) order[i] = axis_named(request["order"][i]);
    const Mesh mesh(shape_of(request["shape"]), order);
    json answer = json::array();
    for (const json& names : request["groups"]) answer.push_back(mesh.groups(set_of(names)));
    answer.push_back(mesh.embedding_groups());
    std::cout << answer << "\n";
  }
}
