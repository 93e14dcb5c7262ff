// Logging: one line to standard error and, once a run has opened one, to its log file. Heavy headers stay in log.cpp.
#pragma once

#include <fmt/format.h>

#include <filesystem>
#include <string_view>
#include <utility>

namespace longhaul::log {

enum class Level { debug, info, warning, error };

void write(Level level, std::string_view message);
void set_level(Level level);

// Also appends everything logged from now on to `file` (created if need be).
void open_file(const std::filesystem::path& file);
void close_file();

template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace longhaul::log
