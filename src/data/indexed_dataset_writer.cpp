#include "longhaul/data/indexed_dataset_writer.h"

#include <cstring>
#include <limits>
#include <numeric>
#include <string_view>
#include <system_error>
#include <utility>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

constexpr size_t kBufferBytes = size_t{4} << 20;

template <typename T>
void append(std::vector<std::byte>& out, T value) {
  const size_t at = out.size();
  out.resize(at + sizeof(T));
  std::memcpy(out.data() + at, &value, sizeof(T));
}

template <typename T>
void append_narrowed(std::vector<std::byte>& out, std::span<const int32_t> tokens,
                     const std::string& prefix) {
  const size_t at = out.size();
  out.resize(at + tokens.size() * sizeof(T));
  std::byte* target = out.data() + at;
  for (const int32_t token : tokens) {
    if (!std::in_range<T>(token)) {
      throw UserError(
          "cannot write {}.bin: the token id {} does not fit its type, which holds {} … {}; the "
          "tokenizer's vocabulary size must be larger than every id that it makes",
          prefix, token, std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
    }
    const auto value = static_cast<T>(token);
    std::memcpy(target, &value, sizeof(T));
    target += sizeof(T);
  }
}

}  // namespace

IndexedDatasetWriter::IndexedDatasetWriter(std::string prefix, TokenType type)
    : prefix_(std::move(prefix)), type_(type), bin_(prefix_ + ".bin"), idx_(prefix_ + ".idx") {}

void IndexedDatasetWriter::append_tokens(std::span<const int32_t> tokens) {
  switch (type_) {
    case TokenType::uint8:
      append_narrowed<uint8_t>(buffer_, tokens, prefix_);
      break;
    case TokenType::int8:
      append_narrowed<int8_t>(buffer_, tokens, prefix_);
      break;
    case TokenType::int16:
      append_narrowed<int16_t>(buffer_, tokens, prefix_);
      break;
    case TokenType::uint16:
      append_narrowed<uint16_t>(buffer_, tokens, prefix_);
      break;
    case TokenType::int32:
      append_narrowed<int32_t>(buffer_, tokens, prefix_);
      break;
    case TokenType::int64:
      append_narrowed<int64_t>(buffer_, tokens, prefix_);
      break;
  }
  tokens_ += static_cast<int64_t>(tokens.size());
  if (buffer_.size() >= kBufferBytes) flush();
}

void IndexedDatasetWriter::flush() {
  bin_.write(buffer_);
  buffer_.clear();
}

void IndexedDatasetWriter::add_sequence(std::span<const int32_t> tokens) {
  if (tokens.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    throw UserError(
        "cannot write {}.bin: one document has {} tokens, more than the format's limit of 2^31 - 1; "
        "split it",
        prefix_, tokens.size());
  }
  append_tokens(tokens);
  lengths_.push_back(static_cast<int32_t>(tokens.size()));
}

void IndexedDatasetWriter::end_document() {
  borders_.push_back(sequences());
}

void IndexedDatasetWriter::add_documents(std::span<const int32_t> tokens, std::span<const int32_t> lengths,
                                         std::span<const int32_t> documents) {
  LONGHAUL_CHECK(std::accumulate(lengths.begin(), lengths.end(), uint64_t{0}) == tokens.size(),
                 "sequence lengths do not add up to {} tokens", tokens.size());
  LONGHAUL_CHECK(std::accumulate(documents.begin(), documents.end(), uint64_t{0}) == lengths.size(),
                 "documents do not add up to {} sequences", lengths.size());
  append_tokens(tokens);
  lengths_.insert(lengths_.end(), lengths.begin(), lengths.end());
  for (const int32_t count : documents) borders_.push_back(borders_.back() + count);
}

void IndexedDatasetWriter::seal() {
  LONGHAUL_CHECK(!sealed_, "{} is sealed twice", prefix_);
  sealed_ = true;
  LONGHAUL_CHECK(borders_.back() == sequences(), "{}: the last document was not ended", prefix_);
  flush();
  const std::string_view magic("MMIDIDX\0\0", 9);
  idx_.write(magic);
  append<uint64_t>(buffer_, 1);
  append(buffer_, static_cast<uint8_t>(type_));
  append<uint64_t>(buffer_, lengths_.size());
  append<uint64_t>(buffer_, borders_.size());
  idx_.write(buffer_);
  idx_.write(std::as_bytes(std::span(lengths_)));
  buffer_.clear();
  int64_t offset = 0;
  for (const int32_t length : lengths_) {
    append(buffer_, offset);
    offset += length * token_bytes(type_);
    if (buffer_.size() >= kBufferBytes) {
      idx_.write(buffer_);
      buffer_.clear();
    }
  }
  idx_.write(buffer_);
  buffer_.clear();
  idx_.write(std::as_bytes(std::span(borders_)));

  bin_.sync();
  idx_.sync();
}

void IndexedDatasetWriter::finalize() {
  if (!sealed_) seal();
  // An older index goes first, so that at no moment it stands beside the new .bin.
  std::error_code ignored;
  std::filesystem::remove(prefix_ + ".idx", ignored);
  bin_.commit();
  idx_.commit();
}

}  // namespace longhaul
