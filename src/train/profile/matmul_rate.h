#pragma once

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

namespace longhaul {

// The rate of a large square matrix product on this machine, FLOP/s: what products of a profile are held against. The
// best of twenty tries of some milliseconds.
double measure_matmul_rate(c10::ScalarType type, c10::Device device);

}  // namespace longhaul
