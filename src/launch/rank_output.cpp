#include "launch/rank_output.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "launch/rank_folder.h"
#include "longhaul/core/error.h"

namespace longhaul::launch {
namespace {

constexpr std::string_view kError = "error: ";
constexpr std::chrono::seconds kMessageHeld{2};  // for a rank to end after it

// Where the first line that begins with "error: " begins; npos: nowhere.
size_t start_of_message(std::string_view text, bool begins_a_line) {
  for (size_t at = text.find(kError); at != std::string_view::npos; at = text.find(kError, at + 1)) {
    if (at == 0 ? begins_a_line : text[at - 1] == '\n') return at;
  }
  return std::string_view::npos;
}

// Whether it tells what an error message does, which may be another rank's: "error: rank 1 failed: CAUSE".
bool repeats(const std::string& summary, std::string_view message) {
  message.remove_prefix(kError.size());
  while (message.ends_with('\n')) message.remove_suffix(1);
  constexpr std::string_view kOthers = " failed: ";
  const size_t others = message.starts_with("rank ") ? message.find(kOthers) : std::string_view::npos;
  if (others != std::string_view::npos && summary.find(message.substr(others + kOthers.size())) != std::string::npos)
    return true;
  return summary.find(message) != std::string::npos;
}

}  // namespace

RankOutput::RankOutput(const std::filesystem::path& folder, int ranks, const std::filesystem::path& output_dir)
    : last_error_lines_(ranks) {
  for (int rank = 0; rank < ranks; ++rank) {
    for (const bool is_error : {false, true}) {
      const auto pipe = is_error ? error_pipe(folder, rank) : output_pipe(folder, rank);
      const int descriptor = ::open(pipe.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
      if (descriptor < 0) throw EnvironmentError("cannot open {}: {}", pipe.string(), std::strerror(errno));
      streams_.push_back({rank, is_error, descriptor});
    }
    if (output_dir.empty()) continue;
    std::error_code failed;
    std::filesystem::create_directories(output_dir, failed);
    const auto log = output_dir / fmt::format("rank_{}.log", rank);
    logs_.push_back(std::fopen(log.c_str(), "we"));
    if (!logs_.back()) {
      throw UserError("--output-dir: cannot write {}: {}. Choose a folder that can be written.", log.string(),
                      std::strerror(errno));
    }
  }
}

RankOutput::~RankOutput() {
  for (const Stream& stream : streams_) {
    if (stream.descriptor >= 0) ::close(stream.descriptor);
  }
  for (std::FILE* log : logs_) {
    if (log) std::fclose(log);
  }
}

bool RankOutput::pump(int milliseconds) {
  for (Stream& stream : streams_) {
    if (stream.message.empty() || stream.descriptor < 0 ||
        std::chrono::steady_clock::now() - stream.message_came < kMessageHeld)
      continue;
    show(stream, std::exchange(stream.message, {}));
  }
  std::vector<pollfd> polled;
  for (const Stream& stream : streams_) polled.push_back({stream.descriptor, POLLIN, 0});  // closed ones are below 0
  if (::poll(polled.data(), polled.size(), milliseconds) <= 0) return false;
  bool came = false;
  for (size_t i = 0; i < polled.size(); ++i) {
    if (polled[i].revents == 0) continue;
    char buffer[16 * 1024];
    const ssize_t size = ::read(streams_[i].descriptor, buffer, sizeof buffer);
    if (size > 0) {
      take(streams_[i], {buffer, static_cast<size_t>(size)});
      came = true;
    } else if (size == 0) {
      ::close(std::exchange(streams_[i].descriptor, -1));
    }
  }
  std::fflush(stdout);
  return came;
}

void RankOutput::take(Stream& stream, std::string_view data) {
  if (!logs_.empty()) std::fwrite(data.data(), 1, data.size(), logs_[stream.rank]);
  show(stream, std::exchange(stream.message, {}));
  const size_t message = stream.is_error ? start_of_message(data, stream.unfinished.empty()) : std::string_view::npos;
  show(stream, data.substr(0, message));
  if (message == std::string_view::npos) return;
  stream.message = data.substr(message);
  stream.message_came = std::chrono::steady_clock::now();
}

void RankOutput::show(Stream& stream, std::string_view data) {
  // Rank 0's output may be a line that is drawn again and again, so it is passed on as it comes.
  if (stream.rank == 0) std::fwrite(data.data(), 1, data.size(), stream.is_error ? stderr : stdout);
  stream.unfinished.append(data);
  size_t start = 0;
  for (size_t end; (end = stream.unfinished.find('\n', start)) != std::string::npos; start = end + 1) {
    show_line(stream, stream.unfinished.substr(start, end - start));
  }
  stream.unfinished.erase(0, start);
}

void RankOutput::show_line(const Stream& stream, const std::string& line) {
  if (stream.is_error && !line.empty()) last_error_lines_[stream.rank] = line;
  if (stream.rank != 0 && logs_.empty())
    fmt::print(stream.is_error ? stderr : stdout, "[rank {}] {}\n", stream.rank, line);
}

std::string RankOutput::last_error(int rank) const {
  const auto stream = std::ranges::find_if(streams_, [&](const Stream& s) { return s.rank == rank && s.is_error; });
  if (stream->message.empty()) return last_error_lines_[rank];
  return stream->message.substr(0, stream->message.find_last_not_of('\n') + 1);
}

void RankOutput::flush(const std::string& summary) {
  for (Stream& stream : streams_) {
    if (!stream.message.empty() && !repeats(summary, stream.message)) show(stream, stream.message);
    if (!stream.unfinished.empty()) show_line(stream, std::exchange(stream.unfinished, {}));
  }
  std::fflush(stdout);
}

}  // namespace longhaul::launch
