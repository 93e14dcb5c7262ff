#include "train/profile/step_profiler.h"

#include <ATen/record_function.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <kineto/ActivityType.h>
#include <torch/csrc/autograd/profiler_kineto.h>

#include <cstdlib>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/log.h"
#include "train/profile/matmul_rate.h"
#include "train/profile/time_table.h"

namespace longhaul {
namespace {

namespace kineto = torch::autograd::profiler;
namespace profiler = torch::profiler::impl;

void finish_device(c10::Device device) {
  if (!device.is_cpu()) c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
}

std::unique_ptr<at::ObserverContext> push_range(const at::RecordFunction& record) {
  profiler::cudaStubs()->rangePush(record.name());
  return nullptr;
}

void pop_range(const at::RecordFunction&, at::ObserverContext*) {
  profiler::cudaStubs()->rangePop();
}

// What counts in the table: operators on the host, and on a GPU kernels, copies and fills.
std::vector<ProfileSpan> spans_of(const std::vector<kineto::KinetoEvent>& events) {
  using libkineto::ActivityType;
  std::vector<ProfileSpan> spans;
  for (const kineto::KinetoEvent& event : events) {
    const auto activity = static_cast<ActivityType>(event.activityType());
    const bool on_gpu = activity == ActivityType::CONCURRENT_KERNEL || activity == ActivityType::GPU_MEMCPY ||
                        activity == ActivityType::GPU_MEMSET;
    if (!on_gpu && activity != ActivityType::CPU_OP) continue;
    spans.push_back({.name = event.name(),
                     .begin = static_cast<int64_t>(event.startNs()),
                     .end = static_cast<int64_t>(event.endNs()),
                     .thread = static_cast<int64_t>(event.startThreadId()),
                     .on_gpu = on_gpu,
                     .id = event.correlationId(),
                     .cause = event.linkedCorrelationId()});
  }
  return spans;
}

// A trace appears whole or not at all, and says so when it can't: Kineto writes it without a word either way.
void write_trace(kineto::ProfilerResult& result, const std::filesystem::path& path) {
  make_folder(path.parent_path());
  const std::string unfinished = path.string() + ".unfinished";
  result.save(unfinished);
  std::error_code error;
  std::filesystem::rename(unfinished, path, error);
  if (error) throw EnvironmentError("cannot write the profile {}: {}", path.string(), error.message());
}

}  // namespace

StepProfiler::StepProfiler(Plan plan) : plan_(std::move(plan)) {}

StepProfiler::~StepProfiler() {
  if (!running_) return;
  if (nvtx_ != 0) at::removeCallback(nvtx_);
  (void)kineto::disableProfiler();
}

void StepProfiler::begin_step(int64_t step) {
  if (!plan_.steps || running_ || step < plan_.steps->first || step > plan_.steps->last) return;
  start(step);
}

void StepProfiler::start(int64_t step) {
  setenv("KINETO_LOG_LEVEL", "99", /*overwrite=*/0);  // it prints an error where there is no GPU, which is none
  std::set<profiler::ActivityType> activities{profiler::ActivityType::CPU};
  if (plan_.device.is_cuda()) activities.insert(profiler::ActivityType::CUDA);
  const profiler::ProfilerConfig config(profiler::ProfilerState::KINETO);
  finish_device(plan_.device);
  kineto::prepareProfiler(config, activities);
  kineto::enableProfiler(config, activities,
                         {at::RecordScope::FUNCTION, at::RecordScope::USER_SCOPE, at::RecordScope::BACKWARD_FUNCTION});
  if (plan_.device.is_cuda() && profiler::cudaStubs()->enabled()) {
    nvtx_ = at::addThreadLocalCallback(
        at::RecordFunctionCallback(&push_range, &pop_range).scopes({at::RecordScope::USER_SCOPE}));
  }
  running_ = true;
  first_ = step;
  start_ = std::chrono::steady_clock::now();
}

void StepProfiler::end_step(int64_t step) {
  if (!running_) return;
  last_ = step;
  if (step == plan_.steps->last) finish();
}

void StepProfiler::finish() {
  if (!running_) return;
  finish_device(plan_.device);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  running_ = false;
  if (nvtx_ != 0) at::removeCallback(std::exchange(nvtx_, 0));
  const auto result = kineto::disableProfiler();
  const std::string steps = first_ == last_ ? fmt::format("{}", first_) : fmt::format("{}-{}", first_, last_);
  const auto path = plan_.folder / fmt::format("steps_{}.rank_{}.json", steps, plan_.rank);
  write_trace(*result, path);
  if (!plan_.prints_table) return;
  const double rate = measure_matmul_rate(plan_.dtype, plan_.device);
  log::info(
      "profile of step{} {}, {:.3f} s a step, in {} (open it in Perfetto or chrome://tracing); a large matrix product "
      "runs at {:.3g} TFLOP/s here\n{}",
      first_ == last_ ? "" : "s", steps, seconds / static_cast<double>(last_ - first_ + 1), path.string(), rate / 1e12,
      time_table(time_use(spans_of(result->events()), seconds), rate));
}

}  // namespace longhaul
