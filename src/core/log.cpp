#include "longhaul/core/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/ringbuffer_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <mutex>

#include "longhaul/core/error.h"
#include "longhaul/core/progress.h"

namespace longhaul::log {
namespace {

constexpr size_t kHeldLines = 1000;  // the latest

struct State {
  std::mutex mutex;
  std::shared_ptr<spdlog::sinks::stderr_color_sink_mt> console =
      std::make_shared<spdlog::sinks::stderr_color_sink_mt>();
  std::shared_ptr<spdlog::sinks::basic_file_sink_mt> file;
  std::shared_ptr<spdlog::sinks::ringbuffer_sink_mt> held;  // what the file will begin with
  std::shared_ptr<spdlog::logger> logger = std::make_shared<spdlog::logger>("longhaul", console);

  State() {
    console->set_pattern("%^%l%$: %v");
    logger->flush_on(spdlog::level::info);
  }
};

State& state() {
  static State instance;
  return instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

void rebuild(State& s) {
  std::vector<spdlog::sink_ptr> sinks{s.console};
  if (s.file) sinks.push_back(s.file);
  if (s.held) sinks.push_back(s.held);
  s.logger = std::make_shared<spdlog::logger>("longhaul", sinks.begin(), sinks.end());
  s.logger->flush_on(spdlog::level::info);
}

}  // namespace

thread_local bool others_speak = false;

void leave_to_others(bool leave) {
  others_speak = leave;
}
bool left_to_others() {
  return others_speak;
}

void write(Level level, std::string_view message) {
  auto& s = state();
  std::lock_guard lock(s.mutex);
  LiveLine::erase_current();  // a progress line must not be torn by a log line
  s.logger->log(to_spdlog(level), message);
}

void write_to_file(Level level, std::string_view message) {
  auto& s = state();
  std::lock_guard lock(s.mutex);
  if (!s.file) return;
  s.file->log(spdlog::details::log_msg("longhaul", to_spdlog(level), message));
  s.file->flush();
}

void hold_for_file() {
  auto& s = state();
  std::lock_guard lock(s.mutex);
  s.held = std::make_shared<spdlog::sinks::ringbuffer_sink_mt>(kHeldLines);
  rebuild(s);
}

void open_file(const std::filesystem::path& path) {
  auto& s = state();
  std::lock_guard lock(s.mutex);
  try {
    s.file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string());
  } catch (const spdlog::spdlog_ex&) {
    throw EnvironmentError("cannot write {}: {}: check the permissions, or choose another folder", path.string(),
                           std::strerror(errno));
  }
  s.file->set_pattern("%Y-%m-%d %H:%M:%S.%e %l %v");
  if (s.held) {
    for (const auto& line : s.held->last_raw()) s.file->log(line);
    s.file->flush();
    s.held.reset();
  }
  rebuild(s);
}

void close_file() {
  auto& s = state();
  std::lock_guard lock(s.mutex);
  s.file.reset();
  s.held.reset();
  rebuild(s);
}

}  // namespace longhaul::log
