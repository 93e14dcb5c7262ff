// The sample index of a GPT dataset: where each sample begins in the stream of tokens that the document index makes.
//
// Sample k begins at token k·S of the stream, whatever the samples before it; so rows can be found in any order, by many
// threads, from the running sum of the documents' lengths. The lengths stand far apart in the .idx, in shuffled order:
// fetching them is most of the work, and is done by itself, for a stretch of documents at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "data/gpt_index.h"

namespace longhaul {

// Hands over all rows, (place in the document index, offset in the document's tokens) one after another, in order, a piece
// at a time. T is int32_t or int64_t. Memory: 4 bytes a sequence, and a few megabytes a thread.
template <typename T>
void for_each_sample_row(const IndexedDatasetReader& reader, std::span<const int32_t> documents, const GptOrder& order,
                         const EpochPlan& plan, const std::function<void(std::span<const T>)>& use);

}  // namespace longhaul
