// A run's folder: who may train in it, and what its log holds.
#include "train/run_folder.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "longhaul/core/log.h"
#include "longhaul/core/path_lock.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

class RunFolderTest : public FolderTest {
 protected:
  std::string log_text() const { return read_text(folder_ / "run/log.txt"); }
};

// The exit code of `work` in a process of its own.
int in_child(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 99;
    try {
      code = work();
    } catch (...) {
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(RunFolderTest, OneProcessAtATime) {
  RunFolder folder(folder_ / "run", /*leads=*/true);
  folder.make();
  const auto newcomer = [&] {
    return in_child([&] {
      try {
        RunFolder second(folder_ / "run", /*leads=*/true);
        return 1;
      } catch (const UserError& error) {
        const std::string message = error.what();
        return message.starts_with(
                   fmt::format("process {} trains in the run folder {}", ::getppid(), (folder_ / "run").string()))
                   ? 0
                   : 2;
      }
    });
  };
  EXPECT_EQ(newcomer(), 0);
  EXPECT_EQ(newcomer(), 0) << "who was refused leaves the lock as it was";
}

TEST_F(RunFolderTest, ADeadProcessLeavesNoLock) {
  EXPECT_EQ(in_child([&]() -> int {
              RunFolder folder(folder_ / "run", /*leads=*/true);
              folder.make();
              ::_exit(7);  // nothing is destroyed
            }),
            7);
  EXPECT_TRUE(fs::exists(folder_ / "run/.lock"));
  EXPECT_NO_THROW(RunFolder(folder_ / "run", /*leads=*/true).make());
}

TEST_F(RunFolderTest, ANewRunIsMadeLateAndItsLogHasWhatCameBefore) {
  {
    RunFolder folder(folder_ / "run", /*leads=*/true);
    log::info("before");
    EXPECT_FALSE(fs::exists(folder_ / "run"));
    folder.make();
    log::info("after");
    RunFolder::note(UserError("the end"));
  }
  log::info("of nobody's concern");
  const std::string text = log_text();
  EXPECT_LT(text.find("info before\n"), text.find("info after\n"));
  EXPECT_NE(text.find("error the end\n"), std::string::npos);
  EXPECT_EQ(text.find("concern"), std::string::npos);
  {
    RunFolder folder(folder_ / "run", /*leads=*/true);  // never made anew
    RunFolder::note(UserError("refused"));
  }
  EXPECT_EQ(log_text().find(text), 0) << "a log grows";
  EXPECT_NE(log_text().find("error refused\n"), std::string::npos);
}

TEST_F(RunFolderTest, AMistakeLeavesNothingBehind) {
  {
    RunFolder folder(folder_ / "run", /*leads=*/true);
    log::info("before");
    RunFolder::note(UserError("a mistake"));
  }
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(RunFolderTest, LocksExcludeWithinAProcessToo) {
  auto lock = PathLock::try_file(folder_ / "lock", "me");
  ASSERT_TRUE(lock.has_value());
  EXPECT_EQ(read_text(folder_ / "lock"), "me");
  EXPECT_TRUE(is_locked(folder_ / "lock"));
  EXPECT_FALSE(PathLock::try_file(folder_ / "lock", "you").has_value());
  EXPECT_FALSE(PathLock::try_existing(folder_ / "lock").has_value());
  lock.reset();
  EXPECT_FALSE(is_locked(folder_ / "lock"));
  EXPECT_EQ(read_text(folder_ / "lock"), "");
  EXPECT_TRUE(PathLock::try_existing(folder_).has_value()) << "a folder";
  EXPECT_FALSE(PathLock::try_existing(folder_ / "missing").has_value());
}

}  // namespace
}  // namespace longhaul
