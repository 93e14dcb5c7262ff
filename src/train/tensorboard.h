// Writes scalars in TensorBoard's event-file format: length-prefixed, CRC-checked records that hold one protocol-buffer
// `Event` each. Only the four fields that scalars need are encoded, by hand.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace longhaul {

class TensorBoardWriter {
 public:
  // Opens a new event file in `folder`, which is created. TensorBoard merges the files of one folder, so a resumed
  // run adds another.
  explicit TensorBoardWriter(const std::filesystem::path& folder);

  void add_scalars(int64_t step, const std::vector<std::pair<std::string, double>>& scalars);

 private:
  void write_record(const std::string& event);
  std::ofstream file_;
};

}  // namespace longhaul
