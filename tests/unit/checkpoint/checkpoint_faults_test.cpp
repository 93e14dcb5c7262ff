// Saving when the machine fails: crashes, a full disk, a folder that can't be written.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <functional>
#include <thread>

#include "checkpoint/checkpoint_folders.h"
#include "checkpoint/folder_swap.h"
#include "longhaul/checkpoint/checkpoint_reader.h"
#include "longhaul/checkpoint/checkpoint_writer.h"
#include "test_support.h"

namespace longhaul {
namespace {

using testing::identical;
using testing::message_of;
using testing::random_bytes;
namespace fs = std::filesystem;

class CheckpointFaults : public testing::TemporaryFolder {
 protected:
  static CheckpointContent content(int64_t step, int64_t numbers = 100) {
    CheckpointContent result{.step = step, .config = {}, .state = {}, .hf = {}};
    result.tensors = {{"model/a", random_bytes(at::kFloat, {numbers}, static_cast<uint64_t>(step)), {}, {}}};
    return result;
  }
  std::vector<std::string> listing() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_ / "checkpoints")) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }
  void expect_good(int64_t step) const {
    const auto found = find_latest(folder_);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->step(), step);
    EXPECT_TRUE(identical(found->read("model/a"), content(step).tensors[0].value));
  }
};

TEST_F(CheckpointFaults, LeftoversOfACrashAreIgnoredAndCleared) {
  { CheckpointWriter(folder_).save(content(1)); }
  const fs::path checkpoints = folder_ / "checkpoints";
  for (const char* name : {"step_00000002.partial-123", "step_00000000.removed"}) {
    fs::create_directories(checkpoints / name);
    write_text(checkpoints / name / "model-00001.safetensors", "half");
  }
  write_text(checkpoints / "latest.partial-123", "step_000");
  fs::create_directories(checkpoints / "step_00000002.replaced-123");
  expect_good(1);  // nobody takes a partial folder for a checkpoint
  fs::remove(checkpoints / "step_00000002.replaced-123");
  { CheckpointWriter writer(folder_); }
  EXPECT_EQ(listing(), (std::vector<std::string>{"latest", "step_00000001"}));
}

TEST_F(CheckpointFaults, ACrashWhileReplacingKeepsTheOldOne) {
  { CheckpointWriter(folder_).save(content(1)); }
  fs::rename(folder_ / "checkpoints/step_00000001", folder_ / "checkpoints/step_00000001.replaced-123");
  fs::create_directories(folder_ / "checkpoints/step_00000001.partial-123");
  CheckpointWriter writer(folder_);
  EXPECT_EQ(listing(), (std::vector<std::string>{"latest", "step_00000001"}));
  expect_good(1);
}

// A process that is killed at any moment of a save: what it leaves is either the old checkpoint or the new
// one.
TEST_F(CheckpointFaults, KilledWhileSaving) {
  { CheckpointWriter(folder_).save(content(1)); }
  for (int round = 0; round < 8; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        CheckpointWriter writer(folder_);
        for (int64_t step = 2; step < 1000; ++step) writer.save(content(step));
      } catch (...) {
      }
      ::_exit(1);
    }
    ::usleep(5000 + 7500 * static_cast<unsigned>(round));
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    const auto found = find_latest(folder_);
    ASSERT_TRUE(found.has_value());
    EXPECT_TRUE(identical(found->read("model/a"), content(found->step()).tensors[0].value));
    CheckpointWriter writer(folder_);
    for (const auto& name : listing()) EXPECT_TRUE(name == "latest" || parse_step_folder(name)) << name;
  }
}

// A disk that is full after so many bytes of a file, in a process of its own. `save` runs there; true when it
// threw an EnvironmentError that names the file.
bool fails_on_full_disk(const std::function<void()>& save) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::signal(SIGXFSZ, SIG_IGN);  // so that write() returns an error
    const rlimit limit{.rlim_cur = 20000, .rlim_max = 20000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      save();
      ::_exit(1);
    } catch (const EnvironmentError& error) {
      ::_exit(std::string(error.what()).find("model-00001.safetensors") != std::string::npos ? 0 : 2);
    } catch (...) {
      ::_exit(3);
    }
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_F(CheckpointFaults, FullDisk) {
  { CheckpointWriter(folder_).save(content(1)); }
  EXPECT_TRUE(fails_on_full_disk([&] { CheckpointWriter(folder_).save(content(2, 10000)); }));
  EXPECT_EQ(listing(), (std::vector<std::string>{"latest", "step_00000001"}));
  EXPECT_TRUE(fails_on_full_disk([&] {
    CheckpointWriter writer(folder_);
    writer.save_async(content(2, 10000));
    writer.wait();
  }));
  EXPECT_TRUE(fails_on_full_disk([&] {
    CheckpointWriter writer(folder_);
    writer.save_async(content(2, 10000));
    writer.save(content(3, 10000));  // fails in turn
  }));
  EXPECT_EQ(listing(), (std::vector<std::string>{"latest", "step_00000001"}));
  expect_good(1);
}

// The state of now is worth more than the news that an older one was not saved.
TEST_F(CheckpointFaults, AFailedSaveInTheBackgroundDoesNotKeepTheNextOneAway) {
  CheckpointWriter writer(folder_);
  const fs::path latest = folder_ / "checkpoints/latest";
  fs::create_directories(latest / "in the way");
  for (const int64_t step : {1, 2}) {
    writer.save_async(content(step));
    std::string warned;
    for (int i = 0; i < 5000 && warned.empty(); ++i) {
      ::usleep(1000);
      ::testing::internal::CaptureStderr();
      writer.poll();
      warned = ::testing::internal::GetCapturedStderr();
    }
    EXPECT_NE(warned.find("warning: a checkpoint was not saved"), std::string::npos) << warned;
  }
  EXPECT_NO_THROW(writer.wait());  // said already
  writer.save_async(content(3));
  fs::path cleared = latest;
  cleared += ".cleared";
  while (!fs::exists(folder_ / "checkpoints/step_00000003")) ::usleep(1000);
  ::usleep(100000);
  fs::rename(latest, cleared);
  writer.save(content(4));
  expect_good(4);
}

TEST_F(CheckpointFaults, WhatALiveProcessWritesIsNoLeftover) {
  CheckpointWriter writer(folder_);
  const fs::path target = folder_ / "checkpoints/step_00000007";
  {
    FolderSwap other(target);
    write_text(other.path() / "model-00001.safetensors", "half");
    CheckpointWriter newcomer(folder_);
    EXPECT_TRUE(fs::exists(other.path() / "model-00001.safetensors"));
    other.commit();
  }
  EXPECT_TRUE(fs::exists(target / "model-00001.safetensors"));
}

TEST_F(CheckpointFaults, AfterAFailedSaveTheNextOneWorks) {
  CheckpointWriter writer(folder_);
  writer.save(content(1));
  // A plain file where the folder should be: fails for root too, unlike permissions.
  fs::rename(folder_ / "checkpoints", folder_ / "elsewhere");
  write_text(folder_ / "checkpoints", "not a folder");
  EXPECT_THROW(writer.save(content(2)), EnvironmentError);
  writer.save_async(content(2));
  EXPECT_THROW(writer.wait(), EnvironmentError);
  EXPECT_NO_THROW(writer.wait());  // thrown once
  fs::remove(folder_ / "checkpoints");
  fs::rename(folder_ / "elsewhere", folder_ / "checkpoints");
  writer.save_async(content(2));
  writer.wait();
  expect_good(2);
}

// A reader never finds the place empty while one folder takes the place of another.
TEST_F(CheckpointFaults, ReplacingAFolderLeavesNoGap) {
  const fs::path one = folder_ / "one", two = folder_ / "two";
  fs::create_directories(one);
  fs::create_directories(two);
  if (::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, two.c_str(), RENAME_EXCHANGE) != 0)
    GTEST_SKIP() << "this file system can't exchange folders";
  const fs::path target = folder_ / "model";
  fs::create_directories(target);
  std::atomic<bool> done = false;
  int64_t gaps = 0;
  std::thread reader([&] {
    while (!done) gaps += ::access(target.c_str(), F_OK) != 0;
  });
  for (int i = 0; i < 300; ++i) {
    FolderSwap swap(target);
    write_text(swap.path() / "number", std::to_string(i));
    swap.commit();
  }
  done = true;
  reader.join();
  EXPECT_EQ(gaps, 0);
  EXPECT_EQ(read_text(target / "number"), "299");
  for (const auto& entry : fs::directory_iterator(folder_))
    EXPECT_EQ(entry.path().filename().string().find("model."), std::string::npos) << entry.path();
}

}  // namespace
}  // namespace longhaul
