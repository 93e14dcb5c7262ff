// Reads what the ranks print and shows it: rank 0's as it is, the others' behind their number, or in files.
#pragma once

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace longhaul::launch {

class RankOutput {
 public:
  // `folder`: of the pipes. `output_dir`: of the log files, or empty. Throws EnvironmentError.
  RankOutput(const std::filesystem::path& folder, int ranks, const std::filesystem::path& output_dir);
  ~RankOutput();

  // Shows what has come, after waiting for at most `milliseconds` for it. False when nothing came.
  bool pump(int milliseconds);
  // Shows what is left: lines that were never ended, and error messages unless `summary`, which the caller shows next,
  // repeats them.
  void flush(const std::string& summary);

  // What a rank wrote to its standard error last: an error message, or a line.
  std::string last_error(int rank) const;

 private:
  struct Stream {
    int rank;
    bool is_error;
    int descriptor;
    std::string unfinished = {};  // the start of a line
    // An error message that nothing has followed yet, held back for two seconds, or to the end of the launch once its
    // rank has ended: a rank that ends with it leaves it to the summary.
    std::string message = {};
    std::chrono::steady_clock::time_point message_came = {};
  };
  void take(Stream& stream, std::string_view data);
  void show(Stream& stream, std::string_view data);
  void show_line(const Stream& stream, const std::string& line);

  std::vector<Stream> streams_;
  std::vector<std::FILE*> logs_;  // by rank, where there is an output_dir
  std::vector<std::string> last_error_lines_;
};

}  // namespace longhaul::launch
