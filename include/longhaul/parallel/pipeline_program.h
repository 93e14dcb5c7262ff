// What a pipeline stage does and says, in order: its schedule with the sends and receives put between the
// actions.
//
// No deadlock, by construction. All actions and transfers of all stages stand in one line, sorted by the time
// at which the timeline says that the action is done, or that the action whose output travels is done. A
// stage's program is that line without the events in which it has no part. So whatever event is the first in
// line that has not happened, its ranks have nothing to do before it: it can happen. This holds for the
// strictest messages, where a send waits for its receive and a rank waits for each batch before it goes on,
// and hence for any others; for any schedule; and it still holds if the actions take other times than the
// timeline thinks.
//
// A receive comes before the action during which its message arrives, so it is posted ahead: the message
// travels while the stage computes. Between two ranks, sends and receives come in the same order on both
// sides. At most two receives are posted and not yet used at a time (GPipe: one; interleaved: four); with
// chunks, more where pipeline_group() is not `stages`.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "longhaul/parallel/pipeline_timeline.h"

namespace longhaul::parallel {

struct PipelineTransfer {
  enum class Way { send, receive };
  enum class Payload { activation, gradient };
  Way way = Way::send;
  Payload payload = Payload::activation;
  int64_t peer = 0;  // the other stage
  // Of this stage: the action whose output is sent, or whose input is received, belongs to this chunk.
  int64_t chunk = 0;
  int64_t micro_batch = 0;
  bool operator==(const PipelineTransfer&) const = default;
};

// Start `transfers` together (one batch of the communicator), wait for what `action` needs, run it. A send's
// buffer is free once the send is done; nothing else ever waits for one. At most one transfer of a step is a
// send.
struct PipelineStep {
  std::vector<PipelineTransfer> transfers;
  std::optional<PipelineAction> action;  // none: only transfers, the next step goes on
  bool operator==(const PipelineStep&) const = default;
};

// The program of one stage. Chunks that follow each other on the same stage (a pipeline of one stage)
// exchange nothing.
std::vector<PipelineStep> pipeline_program(const PipelineShape& shape, int64_t stage);
// The programs of all stages.
std::vector<std::vector<PipelineStep>> pipeline_programs(const PipelineShape& shape);

}  // namespace longhaul::parallel
