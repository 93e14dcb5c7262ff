// Progress for people: a line that is redrawn in place on a terminal, and plain lines at intervals when standard
// error is a pipe or a file.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace longhaul {

bool stderr_is_terminal();
int terminal_width();  // columns; 100 when unknown

// 12.3 K, 4.56 M … for counts; 1.2 GiB for bytes; 1:02:03 for seconds.
std::string format_count(double count);
std::string format_bytes(double bytes);
std::string format_duration(double seconds);

// One line of the terminal that is redrawn. On a pipe, `update` prints at most one line per `plain_interval`.
class LiveLine {
 public:
  explicit LiveLine(std::chrono::duration<double> plain_interval = std::chrono::seconds(10));
  ~LiveLine();
  LiveLine(const LiveLine&) = delete;
  LiveLine& operator=(const LiveLine&) = delete;

  // Redraws. `plain` is what a pipe gets (the same text when empty). Throttled to ten times a second unless `force`.
  void update(std::string_view text, std::string_view plain = {}, bool force = false);
  // Leaves the last text on the screen and moves on to a fresh line.
  void finish();

  // Wipes the line that is being drawn, if there is one, so that a log line can be written in its place.
  static void erase_current();

 private:
  using Clock = std::chrono::steady_clock;
  std::chrono::duration<double> plain_interval_;
  Clock::time_point last_{};
  bool drawn_ = false;
};

// [#####-----] 45 % 12.3 M/27.0 M tokens, 1.2 MB/s, ETA 0:12
class ProgressBar {
 public:
  // `total` in units; 0 when it is not known. `unit` is what is counted, e.g. "MB" or "documents".
  ProgressBar(std::string label, double total, std::string unit);
  // `note` is appended, e.g. "1.2 M tokens".
  void update(double done, std::string_view note = {});
  void finish(std::string_view note = {});

 private:
  std::string line(double done, std::string_view note) const;
  std::string label_;
  double total_;
  std::string unit_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  LiveLine live_;
  double done_ = 0;
};

}  // namespace longhaul
