#include "data/dataset_pieces.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20;

std::filesystem::path with(const std::filesystem::path& stem, const char* extension) {
  std::filesystem::path path = stem;
  path += extension;
  return path;
}

template <typename T>
void append_value(AppendFile& file, T value) {
  file.write(std::as_bytes(std::span(&value, 1)));
}

template <typename T>
void narrow(std::span<const int32_t> tokens, const std::filesystem::path& bin, std::vector<std::byte>& out) {
  int32_t low = 0, high = 0;
  for (const int32_t token : tokens) {
    low = std::min(low, token);
    high = std::max(high, token);
  }
  if (!std::in_range<T>(low) || !std::in_range<T>(high)) {
    throw UserError(
        "cannot write {}: the token id {} does not fit its type, which holds {} … {}; the tokenizer's vocabulary size "
        "must be larger than every id that it makes",
        bin.string(), std::in_range<T>(low) ? high : low, std::numeric_limits<T>::min(), std::numeric_limits<T>::max());
  }
  out.resize(tokens.size() * sizeof(T));
  std::byte* target = out.data();
  for (const int32_t token : tokens) {
    const auto value = static_cast<T>(token);
    std::memcpy(target, &value, sizeof(T));
    target += sizeof(T);
  }
}

// Hands the first `bytes` bytes of a file to `use`, a chunk at a time.
template <typename F>
void for_each_chunk(const std::filesystem::path& path, int64_t bytes, F&& use) {
  std::ifstream file(path, std::ios::binary);
  std::vector<char> chunk(kChunkBytes);
  while (bytes > 0) {
    const auto wanted = static_cast<std::streamsize>(std::min<int64_t>(bytes, kChunkBytes));
    if (!file.read(chunk.data(), wanted)) {
      throw EnvironmentError("cannot read {}: {} bytes are missing at its end", path.string(), bytes - file.gcount());
    }
    use(std::as_bytes(std::span(chunk.data(), static_cast<size_t>(wanted))));
    bytes -= wanted;
  }
}

}  // namespace

DatasetPieces::DatasetPieces(std::filesystem::path stem, TokenType type, DatasetSizes start)
    : stem_(std::move(stem)),
      type_(type),
      bin_(with(stem_, ".bin"), start.tokens * token_bytes(type)),
      lengths_(with(stem_, ".lengths"), 4 * start.sequences),
      borders_(with(stem_, ".borders"), 8 * start.documents),
      sizes_(start),
      ended_sequences_(start.sequences) {}

std::filesystem::path DatasetPieces::idx() const {
  return with(stem_, ".idx");
}

void DatasetPieces::append_tokens(std::span<const int32_t> tokens) {
  switch (type_) {
    case TokenType::uint8:
      narrow<uint8_t>(tokens, bin(), narrowed_);
      break;
    case TokenType::int8:
      narrow<int8_t>(tokens, bin(), narrowed_);
      break;
    case TokenType::int16:
      narrow<int16_t>(tokens, bin(), narrowed_);
      break;
    case TokenType::uint16:
      narrow<uint16_t>(tokens, bin(), narrowed_);
      break;
    case TokenType::int32:
      narrow<int32_t>(tokens, bin(), narrowed_);
      break;
    case TokenType::int64:
      narrow<int64_t>(tokens, bin(), narrowed_);
      break;
  }
  bin_.write(narrowed_);
  sizes_.tokens += static_cast<int64_t>(tokens.size());
}

void DatasetPieces::add_sequence(std::span<const int32_t> tokens) {
  if (tokens.size() > static_cast<size_t>(std::numeric_limits<int32_t>::max())) {
    throw UserError("cannot write {}: one document has {} tokens, more than the format's limit of 2^31 - 1; split it",
                    bin().string(), tokens.size());
  }
  append_tokens(tokens);
  append_value(lengths_, static_cast<int32_t>(tokens.size()));
  ++sizes_.sequences;
}

void DatasetPieces::end_document() {
  append_value(borders_, sizes_.sequences);
  ended_sequences_ = sizes_.sequences;
  ++sizes_.documents;
}

void DatasetPieces::add_documents(std::span<const int32_t> tokens, std::span<const int32_t> lengths,
                                  std::span<const int32_t> documents) {
  LONGHAUL_CHECK(std::accumulate(lengths.begin(), lengths.end(), uint64_t{0}) == tokens.size(),
                 "sequence lengths do not add up to {} tokens", tokens.size());
  LONGHAUL_CHECK(std::accumulate(documents.begin(), documents.end(), uint64_t{0}) == lengths.size(),
                 "documents do not add up to {} sequences", lengths.size());
  append_tokens(tokens);
  lengths_.write(std::as_bytes(lengths));
  for (const int32_t count : documents) {
    sizes_.sequences += count;
    end_document();
  }
}

void DatasetPieces::add_dataset(const IndexedDatasetReader& other) {
  LONGHAUL_CHECK(other.token_type() == type_ && !other.multimodal(), "{} is of another type", other.prefix());
  int64_t bytes = 0;
  for (int64_t i = 0; i < other.sequences(); ++i) {
    if (other.offset(i) != bytes) {
      throw UserError("cannot merge {}.idx: sequence {} begins at byte {}, not where the one before it ends, at {}",
                      other.prefix(), i, other.offset(i), bytes);
    }
    append_value(lengths_, other.length(i));
    bytes += other.length(i) * token_bytes(type_);
  }
  for (int64_t i = 1; i <= other.documents(); ++i) append_value(borders_, sizes_.sequences + other.document_border(i));
  for_each_chunk(other.prefix() + ".bin", bytes, [&](std::span<const std::byte> chunk) { bin_.write(chunk); });
  sizes_.sequences += other.sequences();
  ended_sequences_ = sizes_.sequences;
  sizes_.documents += other.documents();
  sizes_.tokens += bytes / token_bytes(type_);
}

void DatasetPieces::sync() {
  bin_.sync();
  lengths_.sync();
  borders_.sync();
}

void DatasetPieces::write_index() {
  LONGHAUL_CHECK(ended_sequences_ == sizes_.sequences, "{}: the last document was not ended", stem_.string());
  sync();
  AppendFile out(idx());
  out.write(std::string_view("MMIDIDX\0\0", 9));
  append_value<uint64_t>(out, 1);
  append_value(out, static_cast<uint8_t>(type_));
  append_value(out, static_cast<uint64_t>(sizes_.sequences));
  append_value(out, static_cast<uint64_t>(sizes_.documents) + 1);
  int64_t offset = 0;
  std::vector<int64_t> offsets;
  const auto copy = [&](std::span<const std::byte> chunk) { out.write(chunk); };
  for_each_chunk(lengths_.path(), 4 * sizes_.sequences, copy);
  for_each_chunk(lengths_.path(), 4 * sizes_.sequences, [&](std::span<const std::byte> chunk) {
    offsets.clear();
    for (size_t at = 0; at < chunk.size(); at += 4) {
      int32_t length = 0;
      std::memcpy(&length, chunk.data() + at, 4);
      offsets.push_back(offset);
      offset += length * token_bytes(type_);
    }
    out.write(std::as_bytes(std::span(offsets)));
  });
  LONGHAUL_CHECK(offset == sizes_.tokens * token_bytes(type_), "{}: lengths and ids disagree", stem_.string());
  append_value<int64_t>(out, 0);
  for_each_chunk(borders_.path(), 8 * sizes_.documents, copy);
  out.sync();
}

}  // namespace longhaul
