// The text of one input, a buffer at a time: as it lies there, or unpacked when it begins as gzip and zstd files do
// (which no UTF-8 text does).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "data/prepare/input_files.h"

namespace longhaul {

// Turns raw bytes into text. Knows nothing of files.
class Decompressor {
 public:
  virtual ~Decompressor() = default;
  // Reads from `in` and writes to `out`, moving the fronts of both on. Throws UserError, in words that follow
  // "cannot read FILE: ", for data that are damaged.
  struct Buffers {
    const char* in;
    size_t in_size;
    char* out;
    size_t out_size;
  };
  virtual void step(Buffers& buffers) = 0;
  // Whether the text may end here.
  virtual bool complete() const = 0;
};
std::unique_ptr<Decompressor> make_gunzip();
std::unique_ptr<Decompressor> make_unzstd();

class InputStream {
 public:
  // `standard_input` is the descriptor that "-" reads.
  InputStream(const InputFile& file, int standard_input);
  ~InputStream();
  InputStream(const InputStream&) = delete;
  InputStream& operator=(const InputStream&) = delete;

  // Fills up to `size` bytes of `out`; 0 at the end only. Throws UserError when the file is damaged, cut short or
  // has changed since it was found, EnvironmentError when the machine can't read it.
  size_t read(char* out, size_t size);
  // Passes over text.
  void skip(int64_t bytes);

  bool compressed() const { return decompressor_ != nullptr; }
  // Bytes of the file, not of its text, that were read.
  int64_t raw_bytes() const { return raw_bytes_; }

 private:
  void fill();
  void check_unchanged() const;

  InputFile file_;
  int descriptor_;
  std::unique_ptr<Decompressor> decompressor_;
  std::unique_ptr<char[]> buffer_;
  const char* raw_ = nullptr;  // what of the buffer was not yet used
  size_t raw_size_ = 0;
  int64_t raw_bytes_ = 0;
  int64_t text_bytes_ = 0;
  bool ended_ = false;
};

}  // namespace longhaul
