#include "longhaul/core/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>

namespace longhaul {
namespace {

std::atomic<bool> line_on_screen{false};

// The number of bytes that show in at most `columns` columns (code points, which is near enough for our texts).
size_t clip_columns(std::string_view text, int columns) {
  int used = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) continue;
    if (used++ == columns) return i;
  }
  return text.size();
}

}  // namespace

bool stderr_is_terminal() {
  static const bool terminal = isatty(STDERR_FILENO) != 0;
  return terminal;
}

int terminal_width() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 100;
}

std::string format_count(double count) {
  constexpr std::array<const char*, 5> suffixes{"", " K", " M", " G", " T"};
  size_t i = 0;
  while (std::abs(count) >= 1000 && i + 1 < suffixes.size()) {
    count /= 1000;
    ++i;
  }
  if (i == 0 && (count >= 100 || count == std::floor(count))) return fmt::format("{:.0f}", count);
  if (i == 0 && count < 1) return fmt::format("{:.2f}", count);
  return fmt::format("{:.3g}{}", count, suffixes[i]);
}

std::string format_bytes(double bytes) {
  constexpr std::array<const char*, 5> suffixes{"B", "KiB", "MiB", "GiB", "TiB"};
  size_t i = 0;
  while (std::abs(bytes) >= 1024 && i + 1 < suffixes.size()) {
    bytes /= 1024;
    ++i;
  }
  return i == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.4g} {}", bytes, suffixes[i]);
}

std::string format_duration(double seconds) {
  if (seconds < 0 || seconds > 1e9) return "?";
  const auto s = static_cast<int64_t>(seconds + 0.5);
  if (s >= 3600) return fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
  return fmt::format("{}:{:02}", s / 60, s % 60);
}

LiveLine::LiveLine(std::chrono::duration<double> plain_interval) : plain_interval_(plain_interval) {}

LiveLine::~LiveLine() {
  finish();
}

void LiveLine::update(std::string_view text, std::string_view plain, bool force) {
  const auto now = Clock::now();
  const bool terminal = stderr_is_terminal();
  const std::chrono::duration<double> interval = terminal ? std::chrono::duration<double>(0.1) : plain_interval_;
  if (!force && last_ != Clock::time_point{} && now - last_ < interval) return;
  last_ = now;
  if (!terminal) {
    fmt::print(stderr, "{}\n", plain.empty() ? text : plain);
    return;
  }
  const size_t length = clip_columns(text, terminal_width() - 1);
  fmt::print(stderr, "\r\x1b[K{}", text.substr(0, length));
  std::fflush(stderr);
  drawn_ = true;
  line_on_screen = true;
}

void LiveLine::finish() {
  if (drawn_ && line_on_screen.exchange(false)) fmt::print(stderr, "\n");
  drawn_ = false;
}

void LiveLine::erase_current() {
  if (line_on_screen.exchange(false)) {
    fmt::print(stderr, "\r\x1b[K");
    std::fflush(stderr);
  }
}

ProgressBar::ProgressBar(std::string label, double total, std::string unit)
    : label_(std::move(label)), total_(total), unit_(std::move(unit)) {}

std::string ProgressBar::line(double done, std::string_view note) const {
  const double elapsed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const double rate = elapsed > 0 ? done / elapsed : 0;
  std::string text = label_;
  if (total_ > 0) {
    const double share = std::clamp(done / total_, 0.0, 1.0);
    const int filled = static_cast<int>(share * 20);
    text += fmt::format(" [{}{}] {:3.0f} %", std::string(filled, '#'), std::string(20 - filled, '-'), share * 100);
  }
  text += fmt::format(" {}{}{} {}, {} {}/s", format_count(done), total_ > 0 ? "/" : "",
                      total_ > 0 ? format_count(total_) : "", unit_, format_count(rate), unit_);
  if (total_ > 0 && rate > 0 && done < total_) text += fmt::format(", ETA {}", format_duration((total_ - done) / rate));
  if (!note.empty()) text += fmt::format(", {}", note);
  return text;
}

void ProgressBar::update(double done, std::string_view note) {
  done_ = done;
  live_.update(line(done, note));
}

void ProgressBar::finish(std::string_view note) {
  live_.update(line(total_ > 0 ? total_ : done_, note), {}, true);
  live_.finish();
}

}  // namespace longhaul
