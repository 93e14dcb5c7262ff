#include "longhaul/core/append_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/system_reason.h"
#include "longhaul/core/error.h"
#include "longhaul/core/unfinished.h"

namespace longhaul {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

}  // namespace

AppendFile::AppendFile(std::filesystem::path path, int64_t size) : path_(std::move(path)), size_(size) {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0) throw EnvironmentError("cannot write {}: {}", path_.string(), system_reason(errno));
  try {
    struct stat info {};
    if (::fstat(descriptor_, &info) != 0) {
      throw EnvironmentError("cannot write {}: {}", path_.string(), system_reason(errno));
    }
    if (info.st_size < size) {
      throw EnvironmentError("cannot go on with {}: it has {} bytes, {} were written to it", path_.string(),
                             info.st_size, size);
    }
    if (info.st_size > size && ::ftruncate(descriptor_, size) != 0) {
      throw EnvironmentError("cannot write {}: {}", path_.string(), system_reason(errno));
    }
    ::lseek(descriptor_, size, SEEK_SET);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

AppendFile::~AppendFile() {
  ::close(descriptor_);
}

void AppendFile::write(std::span<const std::byte> bytes) {
  size_ += static_cast<int64_t>(bytes.size());
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  if (buffer_.size() >= kBufferBytes) flush();
}

void AppendFile::flush() {
  std::span<const std::byte> rest = buffer_;
  while (!rest.empty()) {
    throw_if_interrupted();
    const ssize_t n = ::write(descriptor_, rest.data(), rest.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      throw EnvironmentError("cannot write {} ({} bytes written so far): {}", path_.string(),
                             size_ - static_cast<int64_t>(rest.size()), system_reason(errno));
    }
    rest = rest.subspan(static_cast<size_t>(n));
  }
  buffer_.clear();
}

void AppendFile::sync() {
  flush();
  if (::fsync(descriptor_) != 0) throw EnvironmentError("cannot write {}: {}", path_.string(), system_reason(errno));
}

}  // namespace longhaul
