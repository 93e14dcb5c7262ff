// From the spans of a profile to where the time went.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace longhaul {

// Something that ran, on the host or on a GPU.
struct ProfileSpan {
  std::string name;
  int64_t begin = 0, end = 0;  // ns
  int64_t thread = 0;          // of the host
  bool on_gpu = false;
  uint64_t id = 0;     // of an operator on the host
  uint64_t cause = 0;  // of something on a GPU: the id of the innermost operator that queued it
};

struct TimeRow {
  std::string name;
  int64_t calls = 0;
  double seconds = 0;
  double flops = 0;  // of matrix products; 0 for others
};

struct TimeUse {
  std::vector<TimeRow> rows;  // the largest first
  double wall = 0;            // seconds that the profile took
  double busy = 0;            // seconds of it in which any of the rows ran
  bool on_gpu = false;
};

// With spans on a GPU those alone are counted, by name. Without, operators of the host by the time that they take
// themselves: without the operators that they call. A matrix product (ops::gemm_span) counts as one, whatever it calls.
TimeUse time_use(const std::vector<ProfileSpan>& spans, double wall_seconds);

// The ten largest rows with their shares of the time, and of `matmul_rate` (FLOP/s; 0: not known) for matrix products;
// then the others and what is left. The shares add up to 100 %, save on a GPU where kernels run beside each other.
std::string time_table(const TimeUse& use, double matmul_rate);

}  // namespace longhaul
