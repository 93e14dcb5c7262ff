#include "train/progress_panel.h"

#include <fmt/format.h>

namespace longhaul {
namespace {

constexpr int kBarWidth = 20;

std::string bar(int64_t done, int64_t total) {
  const auto filled = static_cast<size_t>(total > 0 ? done * kBarWidth / total : kBarWidth);
  return std::string(filled, '#') + std::string(kBarWidth - filled, '-');
}

}  // namespace

ProgressPanel::ProgressPanel(int64_t first_step, int64_t max_steps, int64_t log_every)
    : first_step_(first_step), max_steps_(max_steps), log_every_(log_every), live_(std::chrono::seconds(0)) {}

void ProgressPanel::update(const StepMetrics& m) {
  seconds_ += m.step_seconds;
  ++steps_;
  const double eta = seconds_ / static_cast<double>(steps_) * static_cast<double>(max_steps_ - m.step);
  const std::string valid = m.valid_loss ? fmt::format("  valid {:.4f}", *m.valid_loss) : "";
  const std::string step = fmt::format("step {}/{}", m.step, max_steps_),
                    loss = fmt::format("loss {:.4f}{}", m.loss, valid),
                    optimizer = fmt::format("lr {:.2e}  norm {:.2f}", m.learning_rate, m.grad_norm),
                    speed = fmt::format("{} tokens/s  ETA {}", format_count(m.tokens_per_second), format_duration(eta)),
                    memory = format_bytes(static_cast<double>(m.memory_bytes));
  const std::string plain = fmt::format("{}  {}  {}  {}  {}", step, loss, optimizer, speed, memory);
  const bool last = m.step == max_steps_;
  if (stderr_is_terminal()) {
    // As much of it as the terminal is wide; what changes least goes first.
    const auto width = static_cast<size_t>(terminal_width());
    std::string line =
        fmt::format("{} [{}]  {}  {}  {}  {}", step, bar(m.step, max_steps_), loss, optimizer, speed, memory);
    if (line.size() >= width) line = plain;
    if (line.size() >= width) line = fmt::format("{}  {}  {}  {}", step, loss, speed, memory);
    if (line.size() >= width) line = fmt::format("{}  {}  {}", step, loss, speed);
    live_.update(line, {}, last);
  } else if (last || m.valid_loss || (m.step - first_step_) % log_every_ == 0) {
    live_.update({}, plain, true);
  }
}

void ProgressPanel::note(const std::string& text) {
  if (stderr_is_terminal()) live_.update(text, {}, true);
}

}  // namespace longhaul
