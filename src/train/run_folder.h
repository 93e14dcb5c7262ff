// A run's folder for as long as a process trains in it: one process at a time (RUN/.lock), and everything that is
// logged, from the very start to the error that ends the run, in RUN/log.txt.
#pragma once

#include <exception>
#include <filesystem>
#include <optional>

#include "longhaul/core/path_lock.h"

namespace longhaul {

class RunFolder {
 public:
  // A run that stands there is taken at once. For a new one nothing is made before `make`, so that a mistake in the
  // recipe leaves nothing behind; what is logged until then is held back for its log. UserError when another process
  // has the run, or when the folder holds files of somebody else's that a run would replace. Of several ranks only the
  // one that `leads` takes, makes and logs.
  RunFolder(std::filesystem::path path, bool leads);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  // Makes the folder unless it is there. EnvironmentError when it can't be made or written.
  const std::filesystem::path& make();

  // Notes the error that ends the run. Its user hears of it from whoever catches it.
  static void note(const std::exception& error);

 private:
  void take();

  const std::filesystem::path path_;
  const bool leads_;
  std::optional<PathLock> lock_;
};

}  // namespace longhaul
