// Prints pipeline schedules. Each line of standard input is a JSON object such as
//   {"kind": "interleaved", "stages": 4, "chunks": 2, "micro_batches": 8}
// and each line of output {"group": 4, "stages": [[["F", chunk, micro-batch], …], …]}, with B for a whole
// backward.
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "longhaul/parallel/pipeline_schedule.h"

using namespace longhaul::parallel;
using nlohmann::json;

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    const json request = json::parse(line);
    const PipelineKind kind = request["kind"] == "interleaved"    ? PipelineKind::interleaved
                              : request["kind"] == "forward_only" ? PipelineKind::forward_only
                                                                  : PipelineKind::one_f_one_b;
    const PipelineShape shape{kind, request["stages"], request["chunks"], request["micro_batches"]};
    json stages = json::array();
    for (int64_t stage = 0; stage < shape.stages; ++stage) {
      json actions = json::array();
      for (const PipelineAction& action : pipeline_schedule(shape, stage))
        actions.push_back({action.part == PipelinePart::forward ? "F" : "B", action.chunk, action.micro_batch});
      stages.push_back(actions);
    }
    std::cout << json{{"group", pipeline_group(shape)}, {"stages", stages}} << "\n";
  }
}
