#include "longhaul/data/indexed_dataset.h"

#include <string_view>
#include <utility>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

constexpr std::string_view kMagic("MMIDIDX\0\0", 9);

// The path of one of the two files, which exists.
std::filesystem::path half(const std::string& prefix, std::string_view extension) {
  const std::filesystem::path path = prefix + std::string(extension);
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    const std::filesystem::path usual = prefix + "_text_document.idx";
    const std::string hint = std::filesystem::exists(usual, ignored)
                                 ? fmt::format("did you mean {}_text_document?", prefix)
                                 : std::string(
                                       "give the prefix of a .bin/.idx pair, without the extension; "
                                       "`llm-pretrain prepare` makes one from text");
    throw UserError("cannot read the dataset {}: {} does not exist; {}", prefix, path.string(), hint);
  }
  return path;
}

// False where an id is negative.
template <typename T>
bool widen(const std::byte* source, std::span<int64_t> out) {
  int64_t signs = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    T value;
    std::memcpy(&value, source + i * sizeof(T), sizeof(T));
    out[i] = value;
    signs |= out[i];
  }
  return signs >= 0;
}

bool widen(TokenType type, const std::byte* source, std::span<int64_t> out) {
  switch (type) {
    case TokenType::uint8:
      return widen<uint8_t>(source, out);
    case TokenType::int8:
      return widen<int8_t>(source, out);
    case TokenType::int16:
      return widen<int16_t>(source, out);
    case TokenType::int32:
      return widen<int32_t>(source, out);
    case TokenType::int64:
      return widen<int64_t>(source, out);
    case TokenType::uint16:
      return widen<uint16_t>(source, out);
  }
  return false;
}

}  // namespace

std::string dataset_prefix(std::string path) {
  for (std::string_view extension : {".bin", ".idx"}) {
    if (path.size() > extension.size() && path.ends_with(extension)) {
      path.erase(path.size() - extension.size());
      break;
    }
  }
  return path;
}

IndexedDatasetReader::IndexedDatasetReader(std::string path)
    : prefix_(dataset_prefix(std::move(path))), idx_(half(prefix_, ".idx")), bin_(half(prefix_, ".bin")) {
  check_header();
  check_arrays();
}

void IndexedDatasetReader::check_header() {
  const std::string file = idx_.path().string();
  const std::string_view text = idx_.text();
  if (!text.starts_with(kMagic)) {
    throw UserError("{} is not an index of a Megatron dataset: it does not start with \"MMIDIDX\"", file);
  }
  if (text.size() < static_cast<size_t>(kHeaderBytes)) {
    throw UserError("{} is truncated: {} bytes, but the header alone has {}; prepare the data again", file, text.size(),
                    kHeaderBytes);
  }
  const auto version = load<uint64_t>(9);
  if (version != 1) throw UserError("{} has format version {}; only version 1 is known", file, version);
  const auto code = load<uint8_t>(17);
  if (code == 6 || code == 7) {
    throw UserError("{} holds floating point values (dtype code {}), not token ids", file, code);
  }
  if (code < 1 || code > 8) throw UserError("{} is damaged: its dtype code is {}, not one of 1 … 8", file, code);
  type_ = static_cast<TokenType>(code);

  const auto n = load<uint64_t>(18);
  const auto d = load<uint64_t>(26);
  // Bounds first, so that the sizes below can't overflow.
  if (n > text.size() / 12 || d > text.size() / 8 || d == 0) {
    throw UserError(
        "{} is truncated or damaged: {} bytes cannot hold the {} sequences and {} document borders "
        "that its header announces; prepare the data again",
        file, text.size(), n, d);
  }
  const uint64_t expected = kHeaderBytes + 12 * n + 8 * d;
  if (text.size() != expected && text.size() != expected + n) {
    throw UserError(
        "{} is truncated or damaged: it has {} bytes, but {} sequences and {} document borders need "
        "{}; prepare the data again",
        file, text.size(), n, d, expected);
  }
  multimodal_ = n > 0 && text.size() == expected + n;
  sequences_ = static_cast<int64_t>(n);
  borders_ = static_cast<int64_t>(d);
}

void IndexedDatasetReader::check_arrays() const {
  const std::string file = idx_.path().string();
  int64_t expected = 0;
  for (int64_t i = 0; i < sequences_; ++i) {
    const int32_t tokens = length(i);
    if (tokens < 0) throw UserError("{} is damaged: sequence {} has the length {}", file, i, tokens);
    if (offset(i) != expected) {
      throw UserError("{} is damaged: sequence {} should start at byte {} of the .bin file, but its offset is {}", file,
                      i, expected, offset(i));
    }
    expected += tokens * token_bytes(type_);
  }
  if (static_cast<uint64_t>(expected) != bin_.size()) {
    throw UserError("{} {}: it has {} bytes, but {} describes {}; prepare the data again", bin_.path().string(),
                    bin_.size() < static_cast<uint64_t>(expected) ? "is truncated" : "does not belong to its index",
                    bin_.size(), file, expected);
  }
  if (document_border(0) != 0) {
    throw UserError("{} is damaged: the first document starts at sequence {}, not 0", file, document_border(0));
  }
  for (int64_t i = 1; i < borders_; ++i) {
    if (document_border(i) < document_border(i - 1)) {
      throw UserError("{} is damaged: document {} ends at sequence {}, before its start at {}", file, i - 1,
                      document_border(i), document_border(i - 1));
    }
  }
  if (document_border(borders_ - 1) != sequences_) {
    throw UserError("{} is damaged: the last document ends at sequence {}, but there are {} sequences", file,
                    document_border(borders_ - 1), sequences_);
  }
  for (int64_t i = 0; multimodal_ && i < sequences_; ++i) {
    if (mode(i) != 0 && mode(i) != 1) throw UserError("{} is damaged: sequence {} has the mode {}", file, i, mode(i));
  }
}

int64_t IndexedDatasetReader::document_of(int64_t i) const {
  // The last whose border is not beyond the sequence.
  int64_t document = 0;
  for (int64_t end = documents(); end - document > 1;) {
    const int64_t middle = document + (end - document) / 2;
    (document_border(middle) <= i ? document : end) = middle;
  }
  return document;
}

std::vector<int64_t> IndexedDatasetReader::get(int64_t i) const {
  LONGHAUL_CHECK(i >= 0 && i < sequences_, "sequence {} of {}", i, sequences_);
  std::vector<int64_t> tokens(static_cast<size_t>(length(i)));
  read(i, 0, tokens);
  return tokens;
}

void IndexedDatasetReader::read(int64_t i, int64_t begin, std::span<int64_t> out) const {
  LONGHAUL_CHECK(i >= 0 && i < sequences_, "sequence {} of {}", i, sequences_);
  LONGHAUL_CHECK(begin >= 0 && begin + static_cast<int64_t>(out.size()) <= length(i),
                 "tokens [{}, {}) of sequence {}, which has {}", begin, begin + static_cast<int64_t>(out.size()), i,
                 length(i));
  thread_local std::vector<std::byte> buffer;
  const int64_t bytes = token_bytes(type_);
  const auto source = bin_.bytes(offset(i) + begin * bytes, out.size() * static_cast<size_t>(bytes), buffer);
  if (!widen(type_, source.data(), out)) {
    throw UserError("{}.bin is damaged, or {}.idx is: a token of sequence {} is negative; prepare the data again",
                    prefix_, prefix_, i);
  }
}

}  // namespace longhaul
