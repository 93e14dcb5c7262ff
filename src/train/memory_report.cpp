#include "train/memory_report.h"

#include <fmt/format.h>

#include "longhaul/core/log.h"
#include "longhaul/core/progress.h"
#include "longhaul/core/table.h"
#include "train/memory.h"

namespace longhaul {
namespace {

// On the CPU tensors below 1 MiB are not counted: of a small model they are a large part.
constexpr double kComparable = 64 << 20;

// A graph's memory is nobody else's, even between its replays.
double kept_by_graph(const MemoryEstimate& estimate) {
  return estimate.activations + estimate.working;
}

std::string table(const Recipe& recipe, const MemoryEstimate& estimate, double free) {
  TextTable rows;
  rows.align(1, TextTable::Align::right);
  const auto add = [&](const std::string& name, double bytes) { rows.add({name, format_bytes(bytes)}); };
  add("weights", estimate.weights);
  add("gradients", estimate.gradients);
  add("masters and moments", estimate.optimizer);
  add(fmt::format("activations (micro-batch {}, recompute {})", recipe.batch.micro, name_of(recipe.recompute.mode)),
      estimate.activations);
  add("logits, or a layer's backward", estimate.working);
  if (estimate.communication > 0) add("tensors on their way", estimate.communication);
  add("sum", estimate.total());
  if (estimate.host > 0) add("offloaded to host memory", estimate.host);
  if (recipe.trainer.cuda_graphs != CudaGraphs::none)
    add("of the sum, kept by the CUDA graph", kept_by_graph(estimate));
  add("free for this rank's activations and what follows", free);
  return rows.str();
}

// What is free for this rank: a machine's ranks share its main memory.
double free_for_rank(const comm::RankHosts& hosts, c10::Device device) {
  const double free = static_cast<double>(free_memory(device));
  return device.is_cpu() ? free / hosts.local_ranks() : free;
}

Recipe with_device(Recipe recipe, c10::Device device) {
  recipe.trainer.device = device.is_cpu() ? DeviceChoice::cpu : DeviceChoice::cuda;
  return recipe;
}

}  // namespace

MemoryReport::MemoryReport(const Recipe& recipe, const ParallelLayout& layout, const comm::RankHosts& hosts,
                           c10::Device device)
    : device_(device),
      estimate_(estimate_stage_memory(with_device(recipe, device), recipe.parallel, recipe.recompute,
                                      layout.data_ranks(), layout.stage())),
      registered_bytes_(layout.registered_bytes()) {
  const double free = free_for_rank(hosts, device);
  double to_come = estimate_.activations + estimate_.working + estimate_.communication;
  if (recipe.trainer.cuda_graphs != CudaGraphs::none && recipe.trainer.eval_every > 0)
    to_come += estimate_.working;  // an evaluation's
  log::info("memory of this rank's tensors, estimated\n{}", table(recipe, estimate_, free));
  if (to_come > free) {
    log::warning_here(
        "the first step needs about {} on {}, where {} are free: lower batch.micro, raise recompute.mode, or use more ranks",
        format_bytes(to_come), device.str(), format_bytes(free));
  }
  reset_tensor_peak(device);
}

void MemoryReport::first_step_done() const {
  if (!device_.is_cpu()) reset_tensor_peak(device_);
}

void MemoryReport::finish() const {
  const double measured = static_cast<double>(tensor_peak(device_) + registered_bytes_);
  const double estimated = estimate_.total() + (device_.is_cpu() ? estimate_.host : 0);
  if (device_.is_cpu() && estimated < kComparable) return;
  log::info("memory of this rank's tensors at the peak: estimated {}, measured {} ({:+.1f} %{})",
            format_bytes(estimated), format_bytes(measured), 100 * (measured / estimated - 1),
            device_.is_cpu() ? "; on the CPU without tensors below 1 MiB" : "");
}

}  // namespace longhaul
