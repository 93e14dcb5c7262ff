#include "longhaul/core/file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "longhaul/core/error.h"

namespace longhaul {
namespace {

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("longhaul-file-test-{}", getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

TEST_F(FileTest, NothingAppearsBeforeCommit) {
  const auto path = folder_ / "value";
  write_text(path, "old");
  {
    AtomicFile file(path);
    file.write("new");
    EXPECT_EQ(read_text(path), "old");
  }
  EXPECT_EQ(read_text(path), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "the temporary file is removed";
  {
    AtomicFile file(path);
    file.write("new");
    file.commit();
  }
  EXPECT_EQ(read_text(path), "new");
}

TEST_F(FileTest, MissingFileIsTheUsersError) {
  try {
    MappedFile file(folder_ / "missing");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_NE(std::string(error.what()).find("missing"), std::string::npos);
    EXPECT_EQ(error.exit_code(), 2);
  }
}

TEST_F(FileTest, FullDiskIsAnEnvironmentError) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full on this system";
  // A file's own path can't be /dev/full, whose temporary name would be a real file: go through a link.
  const auto path = folder_ / "value";
  std::filesystem::create_symlink("/dev/full", folder_ / fmt::format("value.partial-{}", getpid()));
  AtomicFile file(path);
  try {
    file.write("some bytes");
    FAIL();
  } catch (const EnvironmentError& error) {
    EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos) << error.what();
    EXPECT_EQ(error.exit_code(), 1);
  }
}

TEST_F(FileTest, EmptyFileMapsToNothing) {
  write_text(folder_ / "empty", "");
  EXPECT_EQ(MappedFile(folder_ / "empty").size(), 0U);
}

}  // namespace
}  // namespace longhaul
