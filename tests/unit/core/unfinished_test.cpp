#include "longhaul/core/unfinished.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <functional>

#include "longhaul/core/file.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

class UnfinishedFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("longhaul-unfinished-{}", getpid());
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_;
};

// Runs `work` in a child process and returns how it ended, as waitpid tells it; `process` receives its id.
int in_child(const std::function<int()>& work, pid_t* process = nullptr) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(work());
  if (process != nullptr) *process = child;
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

TEST_F(UnfinishedFiles, OnlyThoseOfProcessesThatAreGoneAreRemoved) {
  pid_t gone = 0;
  in_child([] { return 0; }, &gone);
  const fs::path target = folder_ / "out.bin";
  const auto make = [&](const std::string& name) {
    std::ofstream(folder_ / name) << "x";
    return folder_ / name;
  };
  const auto stale = make(fmt::format("out.bin.partial-{}", gone));
  const auto alive = make(fmt::format("out.bin.partial-{}", getpid()));
  const auto other = make(fmt::format("another.bin.partial-{}", gone));
  const auto odd = make(fmt::format("out.bin.partial-{}x", gone));
  const fs::path stale_folder = folder_ / fmt::format("model.partial-{}", gone);
  fs::create_directories(stale_folder / "deep");
  remove_stale_partials(target);
  remove_stale_partials(folder_ / "model");
  EXPECT_FALSE(fs::exists(stale));
  EXPECT_FALSE(fs::exists(stale_folder));
  for (const auto& kept : {alive, other, odd}) EXPECT_TRUE(fs::exists(kept)) << kept;
}

TEST_F(UnfinishedFiles, ASignalEndsTheWritingAndLeavesNothing) {
  const int status = in_child([&] {
    const StopGuard stop;
    const Unfinished unfinished;
    try {
      AtomicFile file(folder_ / "out.bin");
      file.write("half");
      ::raise(SIGTERM);
      file.write("the other half");
    } catch (const Interrupted& error) {
      return error.exit_code();
    }
    return 1;
  });
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 128 + SIGTERM);
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(UnfinishedFiles, WithNothingUnfinishedASignalEndsTheProgramAtOnce) {
  const int status = in_child([] {
    const StopGuard stop;
    ::raise(SIGINT);
    return 0;
  });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

TEST_F(UnfinishedFiles, ASecondSignalEndsTheProgramAtOnce) {
  const int status = in_child([] {
    const StopGuard stop;
    const Unfinished unfinished;
    ::raise(SIGINT);
    ::raise(SIGINT);
    return 0;
  });
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
}

}  // namespace
}  // namespace longhaul
