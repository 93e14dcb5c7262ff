#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <limits>

#include "data/prepare/input_stream.h"
#include "longhaul/core/error.h"

namespace longhaul {
namespace {

// A gzip file is one or more members, one after another; zeros may follow, as tape drives leave them.
class Gunzip : public Decompressor {
 public:
  Gunzip() {
    if (inflateInit2(&stream_, 15 + 16) != Z_OK) throw EnvironmentError("out of memory while unpacking gzip");
  }
  ~Gunzip() override { inflateEnd(&stream_); }

  void step(Buffers& b) override {
    if (between_) {
      while (any_ && b.in_size > 0 && *b.in == 0) {
        ++b.in;
        --b.in_size;
        padded_ = true;
      }
      if (b.in_size == 0) return;
      if (padded_) throw UserError("something other than gzip follows the padding at its end");
      inflateReset(&stream_);
      between_ = false;
      any_ = true;
    }
    constexpr size_t kMost = std::numeric_limits<uInt>::max();
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(b.in));
    stream_.avail_in = static_cast<uInt>(std::min(b.in_size, kMost));
    stream_.next_out = reinterpret_cast<Bytef*>(b.out);
    stream_.avail_out = static_cast<uInt>(std::min(b.out_size, kMost));
    const int status = inflate(&stream_, Z_NO_FLUSH);
    if (status != Z_OK && status != Z_STREAM_END && status != Z_BUF_ERROR) {
      throw UserError("its gzip data are damaged ({})", stream_.msg != nullptr ? stream_.msg : "no reason given");
    }
    b.in_size -= static_cast<size_t>(reinterpret_cast<const char*>(stream_.next_in) - b.in);
    b.in = reinterpret_cast<const char*>(stream_.next_in);
    b.out_size -= static_cast<size_t>(reinterpret_cast<char*>(stream_.next_out) - b.out);
    b.out = reinterpret_cast<char*>(stream_.next_out);
    between_ = status == Z_STREAM_END;
  }
  bool complete() const override { return between_ && any_; }

 private:
  z_stream stream_{};
  bool between_ = true;  // members
  bool any_ = false;
  bool padded_ = false;
};

class Unzstd : public Decompressor {
 public:
  Unzstd() : stream_(ZSTD_createDStream()) {
    if (stream_ == nullptr) throw EnvironmentError("out of memory while unpacking zstd");
  }
  ~Unzstd() override { ZSTD_freeDStream(stream_); }

  void step(Buffers& b) override {
    ZSTD_inBuffer in{b.in, b.in_size, 0};
    ZSTD_outBuffer out{b.out, b.out_size, 0};
    const size_t status = ZSTD_decompressStream(stream_, &out, &in);
    if (ZSTD_isError(status) != 0) {
      throw UserError("its zstd data are damaged, or were packed with a window above 128 MiB (zstd --long): {}",
                      ZSTD_getErrorName(status));
    }
    b.in += in.pos;
    b.in_size -= in.pos;
    b.out += out.pos;
    b.out_size -= out.pos;
    if (in.pos > 0 || out.pos > 0) complete_ = status == 0;
  }
  bool complete() const override { return complete_; }

 private:
  ZSTD_DStream* stream_;
  bool complete_ = false;
};

}  // namespace

std::unique_ptr<Decompressor> make_gunzip() {
  return std::make_unique<Gunzip>();
}
std::unique_ptr<Decompressor> make_unzstd() {
  return std::make_unique<Unzstd>();
}

}  // namespace longhaul
