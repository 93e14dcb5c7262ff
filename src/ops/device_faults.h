// What a kernel finds wrong with its input. Asking the device would mean waiting for it, so the kernel writes
// the first fault to host memory and goes on with harmless numbers; the host looks there whenever it passes
// by.
#pragma once

#include <cstdint>

namespace longhaul::ops {

enum class Fault : int64_t {
  none,
  label,          // `value` is not in [0, limit), of token `place`
  token_id,       // likewise
  position,       // likewise
  unit_gradient,  // a gradient that was promised to be 1 has the FP64 bits `value`
};

struct FaultReport {
  Fault kind;
  int64_t place, value, limit;
};

// UserError or InternalError that tells of the fault.
[[noreturn]] void throw_fault(const FaultReport& report);

// Where the kernels of one device report, in host memory that they see.
struct FaultSlot {
  FaultReport report;
  int claimed;  // by the thread that writes the report
};

// Reports values that are not in [0, limit), but for those whose weight is 0.
struct IndexCheck {
  Fault kind = Fault::none;
  int64_t count = 0;
  const int64_t* values = nullptr;
  int64_t limit = 0;
  const float* weights = nullptr;  // [count], or null: all count
};

// Reports a scalar that is not 1.
struct UnitCheck {
  const float* value = nullptr;
};

namespace cuda {
void check_indices(const IndexCheck& arguments, void* stream);  // of the current device, like all of these
void check_unit(const UnitCheck& arguments, void* stream);
// Throws what any device has reported so far, once.
void throw_faults();
}  // namespace cuda

}  // namespace longhaul::ops
