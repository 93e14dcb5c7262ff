#include "launch/rank_folder.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "longhaul/core/error.h"

namespace longhaul::launch {

namespace fs = std::filesystem;

fs::path output_pipe(const fs::path& folder, int rank) {
  return folder / fmt::format("rank_{}.out", rank);
}
fs::path error_pipe(const fs::path& folder, int rank) {
  return folder / fmt::format("rank_{}.err", rank);
}
fs::path pid_file(const fs::path& folder, int rank) {
  return folder / fmt::format("rank_{}.pid", rank);
}

RankFolder::RankFolder(int ranks) : ranks_(ranks) {
  std::string name = (fs::temp_directory_path() / "longhaul-launch-XXXXXX").string();
  if (!::mkdtemp(name.data())) {
    throw EnvironmentError("cannot make the folder {}: {}. Set TMPDIR to a folder that can be written.", name,
                           std::strerror(errno));
  }
  path_ = name;
  for (int rank = 0; rank < ranks; ++rank) {
    for (const fs::path& pipe : {output_pipe(path_, rank), error_pipe(path_, rank)}) {
      if (::mkfifo(pipe.c_str(), 0600) != 0) {
        const std::string why = std::strerror(errno);
        fs::remove_all(path_);
        throw EnvironmentError("cannot make the named pipe {}: {}. Set TMPDIR to a folder that allows it.",
                               pipe.string(), why);
      }
    }
  }
}

RankFolder::~RankFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void RankFolder::signal_ranks(int signal) const {
  for (int rank = 0; rank < ranks_; ++rank) {
    pid_t pid = 0;
    if (std::ifstream(pid_file(path_, rank)) >> pid && pid > 0) ::kill(pid, signal);
  }
}

}  // namespace longhaul::launch
