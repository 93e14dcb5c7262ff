// Keeps the order of a GPT dataset between runs, under Megatron's file names and in its formats, so that
// either program finds what the other built.
//
//   FOLDER/<md5 of the description>-GPTDataset-<split>-{document_index,sample_index,shuffle_index}.npy
//                                                     -{source.json,description.txt}
//
// source.json is Longhaul's own: size and time of the .idx that the order was built from, and checksums of
// the arrays. The description is written last and every file appears by a rename, so whoever finds it finds
// all.
#pragma once

#include <filesystem>
#include <string>

#include "data/gpt_description.h"
#include "data/gpt_index.h"

namespace longhaul {

// Loads the index from the cache, or builds it and stores it there. What doesn't match the dataset or is
// damaged is built anew, with a line in the log. A folder that can't be written is a warning, once: the index
// then lives in memory alone.
GptIndex load_or_build_index(const IndexedDatasetReader& reader, const GptDescription& description,
                             const GptOrder& order, const EpochPlan& plan,
                             const std::filesystem::path& folder);

}  // namespace longhaul
