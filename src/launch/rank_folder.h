// Where the launcher and the ranks' starters meet: a folder with two named pipes a rank for its output, its process id,
// and a note of the first failure. It is deleted with this object.
#pragma once

#include <filesystem>
#include <string>

namespace longhaul::launch {

// The names in the folder, for both sides.
std::filesystem::path output_pipe(const std::filesystem::path& folder, int rank);
std::filesystem::path error_pipe(const std::filesystem::path& folder, int rank);
std::filesystem::path pid_file(const std::filesystem::path& folder, int rank);

class RankFolder {
 public:
  explicit RankFolder(int ranks);  // throws EnvironmentError
  ~RankFolder();
  RankFolder(const RankFolder&) = delete;
  RankFolder& operator=(const RankFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

  // Sends a signal to every rank that has started.
  void signal_ranks(int signal) const;

 private:
  int ranks_;
  std::filesystem::path path_;
};

}  // namespace longhaul::launch
