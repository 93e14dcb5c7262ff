// Runs tools/verify_with_transformers.py, which computes with Python's `transformers` what Longhaul is
// compared with. The two exchange safetensors files in a temporary folder.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace longhaul::cli {

// A folder in the system's place for temporary files, removed with all it holds.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// The Python that run_reference takes, if one has what it needs; else "".
std::string find_reference_python();

// Writes `inputs` for the script, runs it on `hf_folder`, and returns the file with its results, in
// `scratch`. Takes the Python of $LONGHAUL_PYTHON; else that of the project's tests (scripts/oracle-python);
// else python3. EnvironmentError when none of them has transformers, or when the script fails.
std::filesystem::path run_reference(const std::filesystem::path& hf_folder,
                                    const std::vector<std::pair<std::string, at::Tensor>>& inputs,
                                    const std::filesystem::path& scratch);

}  // namespace longhaul::cli
