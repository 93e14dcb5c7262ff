#include "longhaul/core/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/system_reason.h"
#include "longhaul/core/error.h"
#include "longhaul/core/unfinished.h"

namespace longhaul {
namespace {

// Under the address sanitizer, reading behind the end of a mapped file is an error, as it is behind an array's.
#ifdef __SANITIZE_ADDRESS__
void guard_end(const void* data, size_t size, bool guarded) {
  constexpr size_t kPage = 4096;
  const size_t rest = (kPage - size % kPage) % kPage;
  const auto* end = static_cast<const std::byte*>(data) + size;
  guarded ? __asan_poison_memory_region(end, rest) : __asan_unpoison_memory_region(end, rest);
}
#else
void guard_end(const void*, size_t, bool) {}
#endif

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) : path_(path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw UserError("cannot read {}: {}", path.string(), system_reason(errno));
  struct stat info {};
  if (::fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode)) {
    ::close(descriptor);
    throw UserError("cannot read {}: it is not a regular file", path.string());
  }
  size_ = static_cast<size_t>(info.st_size);
  if (size_ > 0) {
    void* address = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, descriptor, 0);
    const int error = errno;
    ::close(descriptor);
    if (address == MAP_FAILED) throw EnvironmentError("cannot map {}: {}", path.string(), system_reason(error));
    data_ = static_cast<const std::byte*>(address);
    guard_end(data_, size_, true);
  } else {
    ::close(descriptor);
  }
}

MappedFile::~MappedFile() {
  if (data_ == nullptr) return;
  guard_end(data_, size_, false);
  ::munmap(const_cast<std::byte*>(data_), size_);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)), data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  temporary_ = partial_path(path_);
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0) throw EnvironmentError("cannot write {}: {}", path_.string(), system_reason(errno));
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
    ::unlink(temporary_.c_str());
  }
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  LONGHAUL_CHECK(descriptor_ >= 0, "write after commit to {}", path_.string());
  while (!bytes.empty()) {
    throw_if_interrupted();
    const ssize_t n = ::write(descriptor_, bytes.data(), bytes.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      throw EnvironmentError("cannot write {} ({} bytes written so far): {}", path_.string(), written_,
                             system_reason(errno));
    }
    written_ += static_cast<uint64_t>(n);
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
}

void AtomicFile::sync() {
  LONGHAUL_CHECK(descriptor_ >= 0, "sync after commit of {}", path_.string());
  if (::fsync(descriptor_) != 0) throw EnvironmentError("cannot write {}: {}", path_.string(), system_reason(errno));
}

void AtomicFile::commit() {
  LONGHAUL_CHECK(descriptor_ >= 0, "second commit of {}", path_.string());
  sync();
  ::close(std::exchange(descriptor_, -1));
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int error = errno;
    ::unlink(temporary_.c_str());
    throw EnvironmentError("cannot write {}: {}", path_.string(), system_reason(error));
  }
  sync_folder(path_.has_parent_path() ? path_.parent_path() : std::filesystem::path("."));
}

std::string read_text(const std::filesystem::path& path) {
  const MappedFile file(path);
  return std::string(file.text());
}

void write_text(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;  // some network file systems refuse; the rename itself has happened
  ::fsync(descriptor);
  ::close(descriptor);
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw EnvironmentError("cannot make the folder {}: {}", folder.string(), system_reason(error.value()));
}

std::string hint_for_missing(const std::filesystem::path& folder) {
  const std::string name = folder.string();
  if (name.starts_with("~")) return "; the shell replaces ~ only at the start of a word, so write $HOME instead";
  const size_t slash = name.find('/');
  const bool like_hub = slash != std::string::npos && slash > 0 && slash + 1 < name.size() &&
                        name.find('/', slash + 1) == std::string::npos && name.front() != '.';
  if (!like_hub || std::filesystem::exists(folder.parent_path())) return "";
  return fmt::format(
      "; nothing is downloaded here: if it is a model on the Hugging Face hub, `hf download {} --local-dir DIR` fetches it",
      name);
}

}  // namespace longhaul
