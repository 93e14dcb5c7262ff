// metrics.jsonl and TensorBoard's events, when what is there or the disk is not as it should be.
#include "train/metrics_log.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "longhaul/core/error.h"
#include "longhaul/core/file.h"
#include "unit/temp_folder.h"

namespace longhaul {
namespace {

namespace fs = std::filesystem;

using MetricsLogTest = FolderTest;

TEST_F(MetricsLogTest, KeepsTheStepsUpToTheResumedOneAlone) {
  write_text(
      folder_ / "metrics.jsonl",
      "{\"step\":1,\"loss\":5}\n{\"step\":2}\n{\"step\":\"two\"}\n{\"loss\":1}\n[3]\n{\"step\":3}\n{\"step\":2,\"lo");
  MetricsLog log(folder_, 2);
  StepMetrics metrics;
  metrics.step = 3;
  metrics.test_loss = 2.5;
  log.write(metrics);
  const std::string text = read_text(folder_ / "metrics.jsonl");
  EXPECT_TRUE(text.starts_with("{\"step\":1,\"loss\":5}\n{\"step\":2}\n{\"step\":3,\"consumed_tokens\":0,")) << text;
  EXPECT_TRUE(text.ends_with("\"test_loss\":2.5}\n")) << text;
}

TEST_F(MetricsLogTest, AFullDiskIsAnError) {
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 1;
    try {
      TensorBoardWriter writer(folder_);
      std::signal(SIGXFSZ, SIG_IGN);  // so that write() returns an error
      const rlimit limit{.rlim_cur = 200, .rlim_max = 200};
      ::setrlimit(RLIMIT_FSIZE, &limit);
      for (int64_t step = 0; step < 20; ++step) writer.add_scalars(step, {{"loss", 1.0}});
    } catch (const EnvironmentError&) {
      code = 0;
    }
    ::_exit(code);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

}  // namespace
}  // namespace longhaul
