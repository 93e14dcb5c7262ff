#include "cli/verify/python_reference.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>

#include "longhaul/checkpoint/safetensors_writer.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"

namespace longhaul::cli {
namespace {

namespace fs = std::filesystem;

constexpr int kPackageMissing = 3;  // the script's exit code
constexpr int kNotRunnable = 127;

// Where the program's source tree or installed data is: the build tree says which source it was made from.
fs::path source_or_data_folder() {
  const fs::path program = fs::read_symlink("/proc/self/exe");
  const fs::path tree = program.parent_path().parent_path();
  std::ifstream cache(tree / "CMakeCache.txt");
  for (std::string line; std::getline(cache, line);) {
    constexpr std::string_view kHome = "CMAKE_HOME_DIRECTORY:INTERNAL=";
    if (line.starts_with(kHome)) return line.substr(kHome.size());
  }
  return tree / "share" / "longhaul";
}

std::vector<std::string> candidate_pythons() {
  if (const char* chosen = std::getenv("LONGHAUL_PYTHON"); chosen != nullptr && *chosen != '\0') return {chosen};
  std::vector<std::string> out;
  const fs::path wrapper = source_or_data_folder() / "scripts" / "oracle-python";
  if (fs::exists(wrapper)) out.push_back(wrapper.string());
  out.push_back("python3");
  return out;
}

// Runs a program with its outputs in `log`; its exit code, or 127 when it can't be run.
int run_program(const std::vector<std::string>& arguments, const fs::path& log) {
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t child = 0;
  const int error = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return kNotRunnable;
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw EnvironmentError("cannot wait for {}: {}", arguments[0], std::strerror(errno));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

std::string last_lines(const fs::path& file, size_t count) {
  std::vector<std::string> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  std::string out;
  for (size_t i = lines.size() > count ? lines.size() - count : 0; i < lines.size(); ++i) out += "\n  " + lines[i];
  return out;
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "longhaul-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) {
    throw EnvironmentError("cannot make a folder like {}: {}", name, std::strerror(errno));
  }
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string find_reference_python() {
  const TemporaryFolder scratch;
  for (const std::string& python : candidate_pythons()) {
    const std::string looks =
        "import sys, importlib.util as u; "
        "sys.exit(any(u.find_spec(m) is None for m in ('torch', 'transformers', 'safetensors')))";
    if (run_program({python, "-c", looks}, scratch.path() / "log") == 0) return python;
  }
  return "";
}

fs::path run_reference(const fs::path& hf_folder, const std::vector<std::pair<std::string, at::Tensor>>& inputs,
                       const fs::path& scratch) {
  const fs::path script = source_or_data_folder() / "tools" / "verify_with_transformers.py";
  if (!fs::exists(script)) {
    throw EnvironmentError("{} is missing: it belongs to the program; install or build it again", script.string());
  }
  const fs::path input = scratch / "in.safetensors", output = scratch / "out.safetensors", log = scratch / "log";
  write_safetensors(input, inputs);
  std::string tried;
  for (const std::string& python : candidate_pythons()) {
    const int code = run_program({python, script.string(), hf_folder.string(), input.string(), output.string()}, log);
    if (code == 0 && fs::exists(output)) return output;
    const bool unusable = code == kPackageMissing || code == kNotRunnable || !fs::exists(log);
    // The wrapper of the tests' Python ends with 1 when that Python was never installed.
    const bool absent = code == 1 && last_lines(log, 1).find("scripts/setup --test") != std::string::npos;
    if (!unusable && !absent) {
      throw EnvironmentError("{} failed on {} (exit code {}):{}", script.filename().string(), hf_folder.string(), code,
                             last_lines(log, 5));
    }
    const std::string reason = code == kNotRunnable ? "\n  cannot be run" : last_lines(log, 1);
    tried += fmt::format("\n  {}:{}", python, reason.empty() ? " no" : " " + reason.substr(3));
  }
  throw EnvironmentError(
      "no Python with transformers was found. In the project's folder, scripts/setup --test installs one; or "
      "make an "
      "environment with `pip install torch transformers safetensors` and name its Python in LONGHAUL_PYTHON. "
      "Tried:{}",
      tried);
}

}  // namespace longhaul::cli
