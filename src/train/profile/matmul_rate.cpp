#include "train/profile/matmul_rate.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/randn.h>
#include <c10/core/GradMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <chrono>

#include "ops/gemm.h"

namespace longhaul {

double measure_matmul_rate(c10::ScalarType type, c10::Device device) {
  using Clock = std::chrono::steady_clock;
  constexpr int kTries = 20;
  c10::AutoGradMode no_grad(false);
  const int64_t size = device.is_cpu() ? 1024 : 4096;
  const int products = device.is_cpu() ? 1 : 20;
  const auto options = at::TensorOptions().dtype(type).device(device);
  // Of equal numbers a GPU makes more products, for less power.
  const at::Tensor a = at::randn({size, size}, options), b = at::randn({size, size}, options);
  const at::Tensor out = at::empty({size, size}, options);
  const auto run = [&] {
    for (int i = 0; i < products; ++i) ops::gemm(a, b.t(), out);
    if (!device.is_cpu()) c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
  };
  run();
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const auto start = Clock::now();
    run();
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    best = std::max(best, 2.0 * static_cast<double>(size * size) * static_cast<double>(size) * products / seconds);
  }
  return best;
}

}  // namespace longhaul
