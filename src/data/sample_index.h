// The sample index of a GPT dataset: where each sample begins in the stream of tokens that the document index makes.
//
// Sample k begins at token k·S of the stream, whatever the samples before it. So threads take pieces of the document
// index in turn: each fetches the lengths of its documents, which is most of the work, since they stand far apart in
// the .idx; learns from the piece before where its own begins in the stream; finds the samples that begin in it; and
// hands them over when those before have been.
#pragma once

#include <cstdint>
#include <functional>
#include <span>

#include "data/gpt_index.h"

namespace longhaul {

// Hands over all rows, (place in the document index, offset in the document's tokens) one after another, in order, a
// piece at a time, from changing threads. T is int32_t or int64_t. Memory: 2 bytes a sequence, and a few megabytes a
// thread.
template <typename T>
void for_each_sample_row(const IndexedDatasetReader& reader, std::span<const int32_t> documents, const GptOrder& order,
                         const EpochPlan& plan, const std::function<void(std::span<const T>)>& use);

}  // namespace longhaul
