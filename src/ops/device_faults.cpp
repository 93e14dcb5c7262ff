#include "ops/device_faults.h"

#include <bit>

#include "longhaul/core/error.h"
#include "longhaul/ops/device.h"

namespace longhaul::ops {

void throw_fault(const FaultReport& report) {
  switch (report.kind) {
    case Fault::label:
      throw UserError(
          "the label of token {} of the batch is {}, outside the vocabulary of {}. Tokenize the data with "
          "this model's "
          "tokenizer, or set the token's loss mask to 0.",
          report.place, report.value, report.limit);
    case Fault::token_id:
      throw UserError(
          "token id {} (at token {}) is outside the embedding table of {} rows. Check that the data was "
          "tokenized with "
          "this model's tokenizer, or raise the vocabulary size.",
          report.value, report.place, report.limit);
    case Fault::position:
      throw InternalError(fmt::format("position {} (of token {}) is outside a rotary table of {} rows", report.value,
                                      report.place, report.limit));
    case Fault::unit_gradient:
      throw InternalError(fmt::format("backward of a linear_cross_entropy with unit_gradient got {}",
                                      std::bit_cast<double>(report.value)));
    case Fault::none:
      break;
  }
  LONGHAUL_CHECK(false, "no fault was reported");
  __builtin_unreachable();
}

void throw_device_faults() {
#ifdef LONGHAUL_HAS_CUDA
  cuda::throw_faults();
#endif
}

}  // namespace longhaul::ops
