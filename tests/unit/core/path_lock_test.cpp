#include "longhaul/core/path_lock.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

class PathLockTest : public FolderTest {};

TEST_F(PathLockTest, ATransientFileGoesWithItsLock) {
  const fs::path path = folder_ / "lock";
  auto lock = PathLock::try_transient(path);
  ASSERT_TRUE(lock.has_value());
  EXPECT_TRUE(fs::exists(path));
  EXPECT_TRUE(is_locked(path));
  EXPECT_FALSE(PathLock::try_transient(path).has_value());
  EXPECT_FALSE(PathLock::try_existing(path).has_value());
  PathLock moved = *std::move(lock);
  lock.reset();
  EXPECT_TRUE(is_locked(path));
  { const PathLock last = std::move(moved); }
  EXPECT_FALSE(fs::exists(path));

  write_text(path, "left by a killed process");
  lock = PathLock::try_transient(path);
  EXPECT_TRUE(lock.has_value());
  lock.reset();
  EXPECT_TRUE(fs::is_empty(folder_));
  EXPECT_CONTAINS(message_of<EnvironmentError>([&] { PathLock::try_transient(folder_ / "none" / "lock"); }),
                  "cannot write");
}

// The file is removed and made again all the time; still nobody shares the lock.
TEST_F(PathLockTest, OnlyOneHoldsATransientFile) {
  std::atomic<int> holders = 0, taken = 0, together = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 6; ++i) {
      threads.emplace_back([&] {
        for (int tries = 0; tries < 3000; ++tries) {
          const auto lock = PathLock::try_transient(folder_ / "lock");
          if (!lock) continue;
          ++taken;
          if (++holders > 1) ++together;
          std::this_thread::yield();
          --holders;
        }
      });
    }
  }
  EXPECT_EQ(together, 0);
  EXPECT_GT(taken, 6);
  EXPECT_TRUE(fs::is_empty(folder_));
}

}  // namespace
}  // namespace longhaul
