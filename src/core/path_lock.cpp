#include "longhaul/core/path_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "longhaul/core/error.h"
#include "longhaul/core/log.h"

namespace longhaul {
namespace {

// 0, or why not: EWOULDBLOCK when somebody else holds it.
int lock(int descriptor) {
  return ::flock(descriptor, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
}

// Whether `path` is still the file that is open here.
bool names(const std::filesystem::path& path, int descriptor) {
  struct stat here {
  }, there{};
  return ::fstat(descriptor, &here) == 0 && ::stat(path.c_str(), &there) == 0 && here.st_dev == there.st_dev &&
         here.st_ino == there.st_ino;
}

EnvironmentError cannot_write(const std::filesystem::path& path) {
  return EnvironmentError("cannot write {}: {}: check the permissions, or choose another folder", path.string(),
                          std::strerror(errno));
}

}  // namespace

std::optional<PathLock> PathLock::try_existing(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return std::nullopt;
  // Who held the lock may have removed what was opened here, and somebody else made it anew.
  if (lock(descriptor) == 0 && names(path, descriptor)) return PathLock(descriptor, false);
  ::close(descriptor);
  return std::nullopt;
}

std::optional<PathLock> PathLock::try_file(const std::filesystem::path& path, std::string_view note) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) throw cannot_write(path);
  const int error = lock(descriptor);
  if (error == 0) {
    PathLock result(descriptor, true);
    const bool written = ::ftruncate(descriptor, 0) == 0 &&
                         ::write(descriptor, note.data(), note.size()) == static_cast<ssize_t>(note.size());
    if (!written) throw EnvironmentError("cannot write {}: {}", path.string(), std::strerror(errno));
    return result;
  }
  if (error == EWOULDBLOCK) {
    ::close(descriptor);
    return std::nullopt;
  }
  log::warning("cannot lock {} ({}), so nothing keeps a second process away", path.string(), std::strerror(error));
  return PathLock(descriptor, false);
}

std::optional<PathLock> PathLock::try_transient(const std::filesystem::path& path) {
  while (true) {
    int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);  // NFS locks only what may be written
    if (descriptor < 0 && errno == EACCES) descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);  // another user's
    if (descriptor < 0) throw cannot_write(path);
    const int error = lock(descriptor);
    // Who held the lock may have removed the file since it was opened here. Then it locks nobody out.
    if (error == 0 ? names(path, descriptor) : error != EWOULDBLOCK) return PathLock(descriptor, false, path);
    ::close(descriptor);
    if (error == EWOULDBLOCK) return std::nullopt;
  }
}

PathLock::~PathLock() {
  if (descriptor_ < 0) return;
  if (!removed_.empty()) ::unlink(removed_.c_str());                     // while nobody else can hold it
  if (has_note_ && ::ftruncate(descriptor_, 0) != 0) has_note_ = false;  // an old note misleads nobody
  ::close(descriptor_);
}

PathLock::PathLock(PathLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      has_note_(other.has_note_),
      removed_(std::move(other.removed_)) {}

PathLock& PathLock::operator=(PathLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(has_note_, other.has_note_);
  std::swap(removed_, other.removed_);
  return *this;
}

bool is_locked(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return false;
  const int error = lock(descriptor);
  ::close(descriptor);
  return error == EWOULDBLOCK;
}

}  // namespace longhaul
