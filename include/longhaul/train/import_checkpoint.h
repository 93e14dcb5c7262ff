#pragma once

#include <filesystem>

namespace longhaul {

// Writes a Hugging Face folder as a checkpoint of step 0: FP32 weights under our names, no optimiser state, and what an
// export carries along. UserError when `output` exists.
void import_checkpoint(const std::filesystem::path& hf_folder, const std::filesystem::path& output);

}  // namespace longhaul
