#include "longhaul/data/token_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "longhaul/core/error.h"
#include "longhaul/core/log.h"

namespace longhaul {

TokenFile::TokenFile(const std::filesystem::path& path) : path_(path) {
  try {
    map_.emplace(path);
    size_ = map_->size();
    return;
  } catch (const EnvironmentError& error) {
    static std::atomic<bool> told = false;
    if (!told.exchange(true)) log::info("{}; it is read piece by piece, and so are others like it", error.what());
  }
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) throw EnvironmentError("cannot read {}: {}", path.string(), std::strerror(errno));
  size_ = std::filesystem::file_size(path);
}

TokenFile::~TokenFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

TokenFile::TokenFile(TokenFile&& other) noexcept
    : path_(std::move(other.path_)),
      map_(std::move(other.map_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_) {}

std::span<const std::byte> TokenFile::bytes(int64_t begin, size_t count, std::vector<std::byte>& buffer) const {
  LONGHAUL_CHECK(begin >= 0 && count <= size_ && static_cast<size_t>(begin) <= size_ - count, "bytes {} + {} of {}",
                 begin, count, size_);
  if (map_) return map_->bytes().subspan(static_cast<size_t>(begin), count);
  buffer.resize(count);
  for (size_t done = 0; done < count;) {
    const ssize_t got = ::pread(descriptor_, buffer.data() + done, count - done, begin + static_cast<int64_t>(done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw EnvironmentError("cannot read {}: {}", path_.string(), std::strerror(errno));
    if (got == 0) throw EnvironmentError("cannot read {}: it has become shorter than {} bytes", path_.string(), size_);
    done += static_cast<size_t>(got);
  }
  return buffer;
}

}  // namespace longhaul
