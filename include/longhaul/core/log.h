// Logging: one line to standard error and, once a run has opened one, to its log file. Heavy headers stay in log.cpp.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string_view>
#include <utility>

namespace longhaul::log {

enum class Level { info, warning, error };

void write(Level level, std::string_view message);
// To the log file alone: what the program tells its user in another way, such as the error that it ends with.
void write_to_file(Level level, std::string_view message);

// From now on this thread's `info` and `warning` go nowhere: of many ranks one speaks for all. What a rank alone knows
// is a `warning_here`, or an error.
void leave_to_others(bool leave);
bool left_to_others();

// Keeps what is logged from now on for the file that open_file will name.
void hold_for_file();
// Also appends to `file` (created if need be) what was held and everything logged from now on.
void open_file(const std::filesystem::path& file);
// Ends both.
void close_file();

template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (!left_to_others()) write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  if (!left_to_others()) write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning_here(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace longhaul::log
