#include "data/prepare/input_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "core/system_reason.h"
#include "longhaul/core/error.h"

namespace longhaul {
namespace {

constexpr size_t kBufferBytes = size_t{256} << 10;

// A zstd file begins with a frame, or with one that is to be skipped (50 … 5f 2a 4d 18).
bool is_zstd(std::string_view start) {
  return start.starts_with("\x28\xb5\x2f\xfd") ||
         (start.size() >= 4 && (start[0] & 0xF0) == 0x50 && start.substr(1, 3) == "\x2a\x4d\x18");
}

std::unique_ptr<Decompressor> decompressor_for(const InputFile& file, std::string_view start) {
  if (start.starts_with("\x1f\x8b")) return make_gunzip();
  if (is_zstd(start)) return make_unzstd();
  if (file.compressed) {
    throw UserError(
        "cannot read {}: it {}; fetch it again, or leave it out", file.path.string(),
        start.empty() ? "is empty, which no packed file is" : "is neither gzip nor zstd, whatever its name says");
  }
  return nullptr;
}

}  // namespace

InputStream::InputStream(const InputFile& file, int standard_input)
    : file_(file), descriptor_(standard_input), buffer_(std::make_unique<char[]>(kBufferBytes)) {
  if (file.kind != InputKind::standard_input) {
    descriptor_ = ::open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) {
      throw UserError("cannot read {}: {}; mend that, or leave it out", file.path.string(), std::strerror(errno));
    }
    ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_SEQUENTIAL);
  }
  try {
    fill();
    decompressor_ = decompressor_for(file_, {raw_, raw_size_});
  } catch (...) {
    if (file_.kind != InputKind::standard_input) ::close(descriptor_);
    throw;
  }
}

InputStream::~InputStream() {
  if (file_.kind != InputKind::standard_input) ::close(descriptor_);
}

// Four bytes at least, if there are as many: they tell how the file is packed.
void InputStream::fill() {
  raw_ = buffer_.get();
  while (!ended_ && raw_size_ < 4) {
    const ssize_t n = ::read(descriptor_, buffer_.get() + raw_size_, kBufferBytes - raw_size_);
    if (n < 0) {
      if (errno == EINTR) continue;
      throw EnvironmentError("cannot read {} beyond byte {}: {}", file_.path.string(), raw_bytes_,
                             system_reason(errno));
    }
    if (n == 0) {
      ended_ = true;
      check_unchanged();
    }
    raw_size_ += static_cast<size_t>(n);
    raw_bytes_ += n;
  }
}

void InputStream::check_unchanged() const {
  struct stat info {};
  if (file_.kind == InputKind::standard_input || ::fstat(descriptor_, &info) != 0) return;
  if (info.st_size != file_.bytes ||
      int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec != file_.changed_ns) {
    throw UserError("cannot use {}: it was changed while it was being read; start again when it is complete",
                    file_.path.string());
  }
}

size_t InputStream::read(char* out, size_t size) {
  Decompressor::Buffers buffers{raw_, raw_size_, out, size};
  while (buffers.out_size == size) {
    if (buffers.in_size == 0 && !ended_) {
      raw_size_ = 0;
      fill();
      buffers.in = raw_;
      buffers.in_size = raw_size_;
    }
    if (!compressed()) {
      const size_t n = std::min(buffers.in_size, size);
      std::memcpy(out, buffers.in, n);
      buffers.in += n;
      buffers.in_size -= n;
      buffers.out_size -= n;
      break;
    }
    const size_t before = buffers.in_size;
    try {
      decompressor_->step(buffers);
    } catch (const UserError& error) {
      throw UserError("cannot read {} after {} bytes of text: {}; fetch it again, or leave it out", file_.path.string(),
                      text_bytes_, error.what());
    }
    if (buffers.out_size == size && ended_ && buffers.in_size == before) {  // nothing more will come
      if (decompressor_->complete()) break;
      throw UserError("cannot read {}: it is cut short after {} bytes of text; fetch it again, or leave it out",
                      file_.path.string(), text_bytes_);
    }
  }
  raw_ = buffers.in;
  raw_size_ = buffers.in_size;
  text_bytes_ += static_cast<int64_t>(size - buffers.out_size);
  return size - buffers.out_size;
}

void InputStream::skip(int64_t bytes) {
  if (!compressed() && file_.kind != InputKind::standard_input && bytes > static_cast<int64_t>(raw_size_)) {
    text_bytes_ += bytes;
    raw_bytes_ += bytes - static_cast<int64_t>(raw_size_);
    raw_size_ = 0;
    if (::lseek(descriptor_, raw_bytes_, SEEK_SET) >= 0) return;
    throw EnvironmentError("cannot read {} beyond byte {}: {}", file_.path.string(), raw_bytes_, system_reason(errno));
  }
  const auto passed = std::make_unique<char[]>(kBufferBytes);
  while (bytes > 0) {
    const size_t n = read(passed.get(), static_cast<size_t>(std::min<int64_t>(bytes, kBufferBytes)));
    if (n == 0) throw UserError("cannot read {}: its text ends {} bytes too early", file_.path.string(), bytes);
    bytes -= static_cast<int64_t>(n);
  }
}

}  // namespace longhaul
