#pragma once

#include <c10/core/Device.h>

#include <cstdint>
#include <string_view>

#include "longhaul/recipes/run_config.h"

namespace longhaul {

// The device to train on. `automatic` takes a GPU where this build and this machine have one. Asking for CUDA where
// there is none is a UserError that says what is missing, and `cpu_choice`, how to choose the CPU. `index`: which GPU,
// for several ranks on a machine.
c10::Device resolve_device(DeviceChoice choice, int64_t index = 0, std::string_view cpu_choice = "trainer.device=cpu");

}  // namespace longhaul
