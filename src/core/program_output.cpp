#include "longhaul/core/program_output.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <thread>

extern char** environ;

namespace longhaul {
namespace {

using Clock = std::chrono::steady_clock;

// In a process group of its own. -1: it can't be started.
pid_t start(const std::vector<std::string>& command, int output) {
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  posix_spawnattr_setpgroup(&attributes, 0);
  pid_t child = -1;
  const int problem = posix_spawnp(&child, words[0], &actions, &attributes, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  return problem == 0 ? child : -1;
}

// Until the writers have closed the pipe; false: the time is over first.
bool read_all(int pipe, Clock::time_point end, std::string& text) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now());
    pollfd ready{pipe, POLLIN, 0};
    const int count = left.count() > 0 ? ::poll(&ready, 1, static_cast<int>(left.count())) : 0;
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    char part[4096];
    const ssize_t got = ::read(pipe, part, sizeof part);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    text.append(part, static_cast<size_t>(got));
  }
}

// False: it runs on when the time is over. A program may close its output long before it ends.
bool wait_for(pid_t child, Clock::time_point end, int& status) {
  while (true) {
    const pid_t found = ::waitpid(child, &status, WNOHANG);
    if (found == child || (found < 0 && errno != EINTR)) return true;
    if (Clock::now() >= end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace

ProgramOutput program_output(const std::vector<std::string>& command, std::chrono::milliseconds limit) {
  using End = ProgramOutput::End;
  const auto end = Clock::now() + limit;
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return {End::failed, {}};
  const pid_t child = start(command, ends[1]);
  ::close(ends[1]);
  std::string text;
  int status = 0;
  const bool in_time = child < 0 || (read_all(ends[0], end, text) && wait_for(child, end, status));
  ::close(ends[0]);
  if (child < 0) return {End::missing, {}};
  if (!in_time) {
    ::kill(-child, SIGKILL);
    // One that waits within the kernel does not die; it is left behind.
    wait_for(child, Clock::now() + std::chrono::seconds(1), status);
    return {End::late, {}};
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return {End::failed, {}};
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return {End::ended, text};
}

}  // namespace longhaul
