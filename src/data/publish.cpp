#include "data/publish.h"

#include <system_error>

#include "core/system_reason.h"
#include "longhaul/core/error.h"
#include "longhaul/core/file.h"

namespace longhaul {

namespace fs = std::filesystem;

void publish_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error == std::errc::no_such_file_or_directory && fs::exists(to)) return;
  if (error) throw EnvironmentError("cannot write {}: {}", to.string(), system_reason(error.value()));
  sync_folder(to.has_parent_path() ? to.parent_path() : fs::path("."));
}

void publish_dataset(const fs::path& bin, const fs::path& idx, const std::string& prefix) {
  std::error_code ignored;
  if (fs::exists(idx, ignored)) fs::remove(prefix + ".idx", ignored);
  publish_file(bin, prefix + ".bin");
  publish_file(idx, prefix + ".idx");
}

void require_new(const std::string& prefix, const std::string& described) {
  std::error_code ignored;
  const auto is_there = [&](const char* ending) { return fs::exists(prefix + ending, ignored); };
  if (!is_there(".idx") && !is_there(".bin") && !is_there(".json")) return;
  throw UserError(
      "{} is there already{}; choose another --output-prefix, or add --overwrite to replace it once the new one is "
      "complete",
      prefix, described);
}

}  // namespace longhaul
