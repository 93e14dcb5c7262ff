#include "scratch_folder.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <system_error>

namespace longhaul::fuzz {

ScratchFolder::ScratchFolder() {
  static int made = 0;
  const std::filesystem::path memory = "/dev/shm";
  std::error_code ignored;
  const bool usable = std::filesystem::is_directory(memory, ignored) && ::access(memory.c_str(), W_OK) == 0;
  folder_ = (usable ? memory : std::filesystem::temp_directory_path()) /
            fmt::format("longhaul-fuzz-{}-{}", ::getpid(), made++);
  std::filesystem::create_directories(folder_);
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::filesystem::path ScratchFolder::write(const std::string& name, std::string_view bytes) const {
  const std::filesystem::path file = folder_ / name;
  std::ofstream(file, std::ios::binary | std::ios::trunc) << bytes;
  return file;
}

}  // namespace longhaul::fuzz
