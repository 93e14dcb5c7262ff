// Megatron's indexed dataset, the pair PREFIX.bin and PREFIX.idx, for reading.
//
// The .bin holds the ids of all sequences one after another, nothing else. The .idx says where each begins:
//
//   offset    0        9 bytes  "MMIDIDX" and two NULs
//             9        u64      version, 1
//            17        u8       dtype code (token_type.h)
//            18        u64      n, sequences
//            26        u64      d, documents + 1
//            34        i32 × n  length of each sequence, in tokens
//            34 +  4n  i64 × n  its byte offset in the .bin
//            34 + 12n  i64 × d  document borders, in sequences: 0, …, n
//            34+12n+8d i8 × n   modes (multimodal datasets only)
//
// All little-endian and packed, so the arrays are unaligned and are read through memcpy. A sequence is a
// document for GPT data. Both files are mapped where the system allows it; everything that can be wrong with them is
// checked when they are opened.
#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "longhaul/core/file.h"
#include "longhaul/data/token_file.h"
#include "longhaul/data/token_type.h"

namespace longhaul {

// The prefix of the pair that `path` means: users copy paths with .bin or .idx at their end.
std::string dataset_prefix(std::string path);

class IndexedDatasetReader {
 public:
  // `path` as dataset_prefix takes it. Throws UserError, which names the file and what is wrong, for a missing,
  // truncated, foreign or damaged file.
  explicit IndexedDatasetReader(std::string path);

  const std::string& prefix() const { return prefix_; }
  TokenType token_type() const { return type_; }
  int64_t sequences() const { return sequences_; }
  int64_t documents() const { return borders_ - 1; }
  int64_t tokens() const { return static_cast<int64_t>(bin_.size()) / token_bytes(type_); }
  bool multimodal() const { return multimodal_; }

  // Tokens in sequence i. 0 ≤ i < sequences().
  int32_t length(int64_t i) const { return load<int32_t>(kHeaderBytes + 4 * i); }
  // Bytes from the start of the .bin to sequence i.
  int64_t offset(int64_t i) const { return load<int64_t>(kHeaderBytes + 4 * sequences_ + 8 * i); }
  // The first sequence of document i; documents() gives sequences(). 0 ≤ i ≤ documents().
  int64_t document_border(int64_t i) const { return load<int64_t>(kHeaderBytes + 12 * sequences_ + 8 * i); }
  // The document that sequence i is of.
  int64_t document_of(int64_t i) const;
  // 0 text, 1 image; multimodal datasets only.
  int8_t mode(int64_t i) const { return load<int8_t>(kHeaderBytes + 12 * sequences_ + 8 * borders_ + i); }

  // The ids of sequence i.
  std::vector<int64_t> get(int64_t i) const;
  // The ids [begin, begin + out.size()) of sequence i, which must lie inside it. Throws UserError for a negative one,
  // which opening has not seen.
  void read(int64_t i, int64_t begin, std::span<int64_t> out) const;

  static constexpr int64_t kHeaderBytes = 34;

 private:
  template <typename T>
  T load(int64_t position) const {
    T value;
    std::memcpy(&value, idx_.bytes().data() + position, sizeof(T));
    return value;
  }
  void check_header();
  void check_arrays() const;

  std::string prefix_;
  MappedFile idx_;
  TokenFile bin_;
  TokenType type_ = TokenType::int32;
  int64_t sequences_ = 0;
  int64_t borders_ = 0;
  bool multimodal_ = false;
};

}  // namespace longhaul
