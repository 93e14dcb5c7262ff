// Reads what the ranks print and shows it: rank 0's as it is, the others' behind their number, or in files.
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace longhaul::launch {

class RankOutput {
 public:
  // `folder`: of the pipes. `output_dir`: of the log files, or empty. Throws EnvironmentError.
  RankOutput(const std::filesystem::path& folder, int ranks, const std::filesystem::path& output_dir);
  ~RankOutput();

  // Shows what has come, after waiting for at most `milliseconds` for it. False when nothing came.
  bool pump(int milliseconds);
  // Shows lines that were never ended.
  void flush();

  // The last line that a rank wrote to its standard error.
  const std::string& last_error_line(int rank) const { return last_error_lines_[rank]; }

 private:
  struct Stream {
    int rank;
    bool is_error;
    int descriptor;
    std::string unfinished;  // the start of a line
  };
  void take(Stream& stream, const char* data, size_t size);
  void show_line(const Stream& stream, const std::string& line);

  std::vector<Stream> streams_;
  std::vector<std::FILE*> logs_;  // by rank, where there is an output_dir
  std::vector<std::string> last_error_lines_;
};

}  // namespace longhaul::launch
