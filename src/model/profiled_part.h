// A part of the model in a profile: one span over its forward, one over its backward.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "model/residual_stream.h"
#include "ops/profile_scope.h"

namespace longhaul {

// part(input), where `part` maps a ResidualStream to one and `name()` is the part's name. Where nothing takes a profile
// the name is not made and the graph is the plain one.
template <typename Name, typename Part>
ResidualStream profiled_part(const Name& name, const ResidualStream& input, const Part& part) {
  if (!ops::profiling()) return part(input);
  const std::string text(name());
  // The backward enters behind the part and leaves before it.
  const auto span = std::make_shared<std::optional<ops::PartScope>>();
  const ResidualStream in = call_in_backward([span] { span->reset(); }, input);
  ResidualStream out;
  {
    const ops::PartScope scope(text);
    out = part(in);
  }
  return call_in_backward([span, text] { span->emplace(text + " backward"); }, out);
}

// function(), with a span "<prefix><name>" over its forward.
template <typename Function>
auto profiled_call(const std::string& prefix, const char* name, const Function& function) {
  const ops::PartScope scope([&] { return prefix + name; });
  return function();
}

}  // namespace longhaul
