// Errors of three kinds. `UserError`: the user's mistake, a wrong key, a damaged file; exit code 2. `EnvironmentError`:
// the machine's fault, a full disk, no permission; exit code 1. The messages of both say what, where and what to do;
// the command line prints them alone. `InternalError`: a broken invariant, a bug; exit code 1.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace longhaul {

class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
  // The exit code of a command line program that ends with this error.
  virtual int exit_code() const noexcept { return 1; }
};

// The user's mistake, in a command, a configuration or an input file. Exit code 2.
class UserError : public Error {
 public:
  using Error::Error;
  template <typename... Args>
  explicit UserError(fmt::format_string<Args...> format, Args&&... args)
      : Error(fmt::format(format, std::forward<Args>(args)...)) {}
  int exit_code() const noexcept override { return 2; }
};

// The machine fails us: disk full, folder read-only, out of memory. Exit code 1.
class EnvironmentError : public Error {
 public:
  using Error::Error;
  template <typename... Args>
  explicit EnvironmentError(fmt::format_string<Args...> format, Args&&... args)
      : Error(fmt::format(format, std::forward<Args>(args)...)) {}
};

// A broken invariant of ours. Exit code 1.
class InternalError : public Error {
 public:
  using Error::Error;
};

namespace detail {
[[noreturn]] void fail_check(const char* condition, const char* file, int line, const std::string& message);
}

}  // namespace longhaul

// Checks an invariant; on failure throws InternalError with the condition, the place and the message.
#define LONGHAUL_CHECK(condition, ...)                                                               \
  do {                                                                                               \
    if (!(condition)) [[unlikely]]                                                                   \
      ::longhaul::detail::fail_check(#condition, __FILE__, __LINE__, ::fmt::format("" __VA_ARGS__)); \
  } while (false)
