#include "longhaul/data/indexed_dataset_writer.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "data/dataset_pieces.h"
#include "data/publish.h"
#include "longhaul/core/file.h"
#include "longhaul/core/unfinished.h"

namespace longhaul {

namespace fs = std::filesystem;

IndexedDatasetWriter::IndexedDatasetWriter(std::string prefix, TokenType type)
    : prefix_(std::move(prefix)), folder_(partial_path(prefix_)) {
  make_folder(folder_);
  try {
    pieces_ = std::make_unique<DatasetPieces>(folder_ / "dataset", type);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
    throw;
  }
}

IndexedDatasetWriter::~IndexedDatasetWriter() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

void IndexedDatasetWriter::add_sequence(std::span<const int32_t> tokens) {
  pieces_->add_sequence(tokens);
}
void IndexedDatasetWriter::end_document() {
  pieces_->end_document();
}
void IndexedDatasetWriter::add_documents(std::span<const int32_t> tokens, std::span<const int32_t> lengths,
                                         std::span<const int32_t> documents) {
  pieces_->add_documents(tokens, lengths, documents);
}
void IndexedDatasetWriter::add_dataset(const IndexedDatasetReader& other) {
  pieces_->add_dataset(other);
}

int64_t IndexedDatasetWriter::sequences() const {
  return pieces_->sizes().sequences;
}
int64_t IndexedDatasetWriter::documents() const {
  return pieces_->sizes().documents;
}
int64_t IndexedDatasetWriter::tokens() const {
  return pieces_->sizes().tokens;
}

void IndexedDatasetWriter::finalize() {
  pieces_->write_index();
  publish_dataset(pieces_->bin(), pieces_->idx(), prefix_);
}

}  // namespace longhaul
