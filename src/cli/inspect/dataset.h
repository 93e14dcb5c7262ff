// What `llm-pretrain inspect data` shows of a pair of .bin/.idx files. Opening them has checked all that the index
// says.
#pragma once

#include <cstdint>
#include <memory>

#include "longhaul/data/indexed_dataset.h"
#include "longhaul/data/tokenizer/tokenizer.h"

namespace longhaul::cli {

// The header, the lengths of the documents, the side-car.
void print_dataset(const IndexedDatasetReader& data);

// The ids of one document, in rows; with a tokenizer a row an id, with the text that it adds and where that stands in
// the document's text. UserError when there is no such document, or an id is not the tokenizer's.
void print_document(const IndexedDatasetReader& data, int64_t document,
                    const std::shared_ptr<const Tokenizer>& tokenizer);

// Reads all ids; prints their range and the checksums of both files. `tokenizer` may be null: the vocabulary's size is
// then the side-car's, if there is one. UserError for an id outside of it.
void verify_dataset(const IndexedDatasetReader& data, const Tokenizer* tokenizer);

}  // namespace longhaul::cli
