#include "data/index_array_writer.h"

#include <xxhash.h>

#include <optional>
#include <utility>

#include "longhaul/core/error.h"
#include "longhaul/core/hash.h"

namespace longhaul {

struct IndexArrayWriter::State {
  IndexArray::Type type;
  int64_t rows;
  int64_t columns;
  std::filesystem::path path;
  std::optional<AtomicFile> file;
  std::vector<std::byte> memory;  // without a file
  size_t bytes = 0;               // appended
  XXH3_state_t* hash = XXH3_createState();

  State(IndexArray::Type t, int64_t r, int64_t c) : type(t), rows(r), columns(c) { XXH3_64bits_reset(hash); }
  ~State() { XXH3_freeState(hash); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  size_t due() const { return static_cast<size_t>(rows * columns * index_array_bytes(type)); }
};

IndexArrayWriter::IndexArrayWriter(IndexArray::Type type, int64_t rows, int64_t columns)
    : state_(std::make_unique<State>(type, rows, columns)) {
  state_->memory.reserve(state_->due());
}

IndexArrayWriter::IndexArrayWriter(std::filesystem::path file, IndexArray::Type type, int64_t rows, int64_t columns)
    : state_(std::make_unique<State>(type, rows, columns)) {
  state_->path = std::move(file);
  state_->file.emplace(state_->path);
  state_->file->write(numpy_header(type, rows, columns));
}

IndexArrayWriter::~IndexArrayWriter() = default;
IndexArrayWriter::IndexArrayWriter(IndexArrayWriter&&) noexcept = default;

void IndexArrayWriter::append(IndexArray::Type type, std::span<const std::byte> bytes) {
  LONGHAUL_CHECK(type == state_->type, "elements of another type");
  state_->bytes += bytes.size();
  LONGHAUL_CHECK(state_->bytes <= state_->due(), "{} bytes of elements where {} are due", state_->bytes, state_->due());
  XXH3_64bits_update(state_->hash, bytes.data(), bytes.size());
  if (state_->file) {
    state_->file->write(bytes);
  } else {
    state_->memory.insert(state_->memory.end(), bytes.begin(), bytes.end());
  }
}

IndexArray IndexArrayWriter::finish() {
  LONGHAUL_CHECK(state_->bytes == state_->due(), "{} bytes of elements where {} are due", state_->bytes, state_->due());
  if (!state_->file) return IndexArray(state_->type, state_->rows, state_->columns, std::move(state_->memory));
  state_->file->commit();
  return IndexArray::load(state_->path);
}

std::string IndexArrayWriter::checksum() const {
  return hex64(XXH3_64bits_digest(state_->hash));
}

}  // namespace longhaul
